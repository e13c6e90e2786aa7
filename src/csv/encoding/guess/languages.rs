//! The letters of languages, from the most frequent to the rarest, and the encodings in which each language is written.
//!
//! Only letters that are not ASCII are listed, in lower case. They are in the order of their frequency in lists of
//! names, places and column headers. A rough order is enough for the guess. (The Turkish list has `i`, because the
//! lower-case form of `İ` begins with `i`.)

use super::kind::Kind;
use encoding_rs::{
    Encoding, IBM866, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6, ISO_8859_7, ISO_8859_8,
    ISO_8859_10, ISO_8859_13, ISO_8859_14, ISO_8859_15, ISO_8859_16, KOI8_R, KOI8_U, MACINTOSH, WINDOWS_874,
    WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255, WINDOWS_1256,
    WINDOWS_1257, WINDOWS_1258, X_MAC_CYRILLIC,
};
use std::sync::OnceLock;

/// The script of a language. A word has letters of one script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Latin,
    /// A script whose words have no ASCII letters.
    Other,
}

/// A single-byte encoding, and the languages that are written in it.
pub(super) struct SingleByte {
    pub(super) encoding: &'static Encoding,
    /// The part of the cost that does not depend on the text, in bits. It is higher for rare encodings.
    pub(super) prior: f32,
    pub(super) script: Script,
    /// The letters of each language.
    pub(super) languages: &'static [&'static str],
    /// The character of each byte, computed when it is first needed.
    pub(super) characters: OnceLock<Vec<(char, Kind)>>,
}

// Western Europe.
const GERMAN: &str = "üäößé";
const FRENCH: &str = "éèêçàôâîûïëùœæÿüö";
const SPANISH: &str = "óíáñéúüçª";
const PORTUGUESE: &str = "ãçáéíóêõâúôàü";
const ITALIAN: &str = "àòèùìéü";
const DUTCH: &str = "ëéïèöüó";
const SWEDISH: &str = "äöåéü";
const DANISH: &str = "øåæéöäüð";
const ICELANDIC: &str = "íáðöóéúæþý";
const CATALAN: &str = "àóèéíçúòïü";
const WESTERN_MIX: &str = "éüöáíóäèñçøåêãàßôúëæîâïõðùûœòì";
// Central Europe.
const POLISH: &str = "łóąęśżńźć";
const CZECH: &str = "íáéěřčýšžůúňťďó";
const SLOVAK: &str = "áíéčýšžľúťňóôďäŕĺ";
const HUNGARIAN: &str = "áéóöíőüúű";
const ROMANIAN: &str = "ăşţîâé";
const ROMANIAN_COMMA: &str = "ășțîâé";
const CROATIAN: &str = "čšžćđ";
const CENTRAL_MIX: &str = "áíéčšžłóýüöąęěřśćńżđűőăşţůňťďľúäß";
// Baltic and others.
const LITHUANIAN: &str = "ėšūžįčųąęõäöü";
const LATVIAN: &str = "āīēšņļūģķžčõ";
const ESTONIAN: &str = "äõüöšž";
const MALTESE: &str = "ħżġċàòùìè";
const ESPERANTO: &str = "ĉĝŝŭĵĥ";
const WELSH: &str = "ŵâôîŷêûïöë";
const TURKISH: &str = "ıüöşçğâîûi";
const VIETNAMESE: &str = "\u{301}\u{300}đ\u{323}ưôơêâă\u{309}áàó\u{303}éèùúíãõ";
const SAMI: &str = "áŋšđčŧžäöåâ";
// Other scripts.
const RUSSIAN: &str = "оаеинтрсвлкмдпуяыьгзбчйхжшюцщэфёъ";
const BULGARIAN: &str = "аоиентрвслкдпмъязугбчцйщхшжюьф";
const UKRAINIAN: &str = "оанивіретсклудпмяьзгбчйхюцжшїщєґф";
const SERBIAN: &str = "аоиенртсјвукдлпмзгбњшцчжљхћђфџ";
const MACEDONIAN: &str = "аоиентрсвкдлпмујзгбчцшжќфхѓњљѕџ";
const GREEK: &str = "αοιτεσνρκπλμςυηίόάγδέήθωχβφύώξζψϊΐϋ";
/// Greek words in upper case have no accents.
const GREEK_CAPITALS: &str = "αοιτεσνρκπλμυηγδθωχβφξζψ";
const HEBREW: &str = "יולהרמאבתנשקדחפעטצסגכזםןךףץ";
const ARABIC: &str = "اليمنرتبودةسعحقفكهجشأىصخطإضذزئغثءظؤآ";
const PERSIAN: &str = "اینردهمتوشسبلکزگخفقپعجچحطصآغئضثژظذ";
const THAI: &str = "านรก่อเงมย้ลวัดทสตปะิบีคหแจพชขใไโู์ธณุผศ็ึซำถืฟภญษฐฎฏฆฒฤฉฝ";

const CENTRAL: &[&str] = &[POLISH, CZECH, SLOVAK, HUNGARIAN, ROMANIAN, CROATIAN, CENTRAL_MIX];
const WESTERN: &[&str] =
    &[GERMAN, FRENCH, SPANISH, PORTUGUESE, ITALIAN, DUTCH, SWEDISH, DANISH, ICELANDIC, CATALAN, WESTERN_MIX];
const CYRILLIC: &[&str] = &[RUSSIAN, BULGARIAN, UKRAINIAN, SERBIAN, MACEDONIAN];
const BALTIC: &[&str] = &[LITHUANIAN, LATVIAN, ESTONIAN];

const fn latin(encoding: &'static Encoding, prior: f32, languages: &'static [&'static str]) -> SingleByte {
    SingleByte { encoding, prior, script: Script::Latin, languages, characters: OnceLock::new() }
}

const fn other(encoding: &'static Encoding, prior: f32, languages: &'static [&'static str]) -> SingleByte {
    SingleByte { encoding, prior, script: Script::Other, languages, characters: OnceLock::new() }
}

/// The single-byte encodings that the guess considers. If two encodings cost the same, the guess is the first of them.
pub(super) static SINGLE_BYTE: [SingleByte; 27] = [
    latin(WINDOWS_1252, 0.0, WESTERN),
    latin(WINDOWS_1250, 4.0, CENTRAL),
    other(WINDOWS_1251, 2.0, CYRILLIC),
    other(WINDOWS_1253, 2.0, &[GREEK, GREEK_CAPITALS]),
    latin(WINDOWS_1254, 3.5, &[TURKISH]),
    other(WINDOWS_1255, 3.0, &[HEBREW]),
    other(WINDOWS_1256, 3.0, &[ARABIC, PERSIAN]),
    latin(WINDOWS_1257, 5.0, BALTIC),
    latin(WINDOWS_1258, 6.0, &[VIETNAMESE]),
    other(WINDOWS_874, 3.0, &[THAI]),
    other(KOI8_U, 4.0, &[RUSSIAN, UKRAINIAN]),
    other(KOI8_R, 4.0, &[RUSSIAN]),
    other(IBM866, 4.0, CYRILLIC),
    latin(ISO_8859_2, 6.0, CENTRAL),
    latin(ISO_8859_15, 5.0, WESTERN),
    other(ISO_8859_7, 4.0, &[GREEK, GREEK_CAPITALS]),
    other(ISO_8859_5, 5.0, CYRILLIC),
    other(ISO_8859_6, 5.0, &[ARABIC]),
    other(ISO_8859_8, 5.0, &[HEBREW]),
    latin(MACINTOSH, 5.0, WESTERN),
    other(X_MAC_CYRILLIC, 5.0, CYRILLIC),
    latin(ISO_8859_13, 6.0, BALTIC),
    latin(ISO_8859_4, 7.0, BALTIC),
    latin(ISO_8859_10, 8.0, &[LITHUANIAN, LATVIAN, SAMI]),
    latin(ISO_8859_16, 6.5, &[ROMANIAN_COMMA, POLISH, HUNGARIAN, CROATIAN]),
    latin(ISO_8859_3, 8.0, &[MALTESE, ESPERANTO]),
    latin(ISO_8859_14, 8.0, &[WELSH]),
];

/// Frequent Chinese characters, simplified.
pub(super) const SIMPLIFIED: &str = "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市各张王李刘陈杨赵黄周吴徐孙胡朱高林何郭马罗州区县省京津沪广深江浙苏川湖南北河安徽福建陕辽吉黑龙云贵宁青藏新疆编号姓名性别年龄地址电话邮箱价格数量单位备注日期类型状态销售金额客户订单产品部门职务元";
/// Frequent Chinese characters, traditional.
pub(super) const TRADITIONAL: &str = "的一是不了在人有我他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可她裡後小麼心多天而能好都然沒日於起還發成事只作當想看文無開手十用主行方又如前所本見經頭面公同三已老從動兩長知民樣現分將外但身些與高意進把法此實回二理美點月明其種聲全工己話兒者向情部正名定女問力機給等幾很業最間新什打便位因重被走電四第門相次東政海口使教西再平真聽世氣信北少關並內加化由卻代軍產入先山五太水萬市各張王李劉陳楊趙黃周吳徐孫胡朱林何郭馬羅蔡鄭謝許曾賴洪邱州區縣省台臺灣香港澳高雄中桃園新竹南投嘉義屏東花蓮基隆編號姓名性別年齡地址電話信箱價格數量單位備註日期類型狀態銷售金額客戶訂單產品部門職務元鄉鎮路街段號樓";
/// Frequent Japanese characters other than kana.
pub(super) const JAPANESE: &str = "日一人年大十二本中長出三時行見月後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電校語土木聞食車何南万毎白天母火右読友左休父雨東京都府県市区町村番地号田中佐藤鈴木高橋伊渡辺山本小林加吉佐々木清松井口村上原石橋野島崎森池部会社員株式課社長氏名住所郵便電話番号性別年齢生日付備考商品数量価格金額単合計顧客注文売店種類状態担当者県福岡阪神奈千葉埼玉静愛知兵庫広札幌仙台横浜名古屋京城沖縄道海宮青森秋形群馬栃茨新潟富石梨岐阜三重滋賀和歌根徳香媛崎熊分鹿児達成";
/// Frequent Korean syllables.
pub(super) const KOREAN: &str = "이다의는에가을고한지사하를기로은인자도어시대리나서정부아그수해일스전있었과주원라제보공장상구선게만조성연동비화계소회신미여개으모관경방진국적면영우생물명안마무차임단내문용오학거호음중통격무실업체금액번이름주소전화번호날짜상품고객수량가격단위합계비고서울산대구인천광주전부경남북충청강제김박최정윤임한송류홍유노권황배백허심양손조남구길동로읍면리시군도등급태입출납처담당";
