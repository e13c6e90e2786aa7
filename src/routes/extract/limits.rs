//! The rate limits of one request: which of them it has met, for the headers of its response, and which reservations
//! must be settled when it ends.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use http::HeaderMap;

use crate::app::SharedApp;
use crate::auth::token::Keyring;
use crate::body::outgoing::ResponseBody;
use crate::body::stream::ByteSource;
use crate::domain::caller::Caller;
use crate::domain::ids::ShareId;
use crate::domain::principal::Principal;
use crate::domain::read_meter::ReadMeter;
use crate::error::{Problem, Result};
use crate::http::rate_limit::{self, LimitStatus};
use crate::limits::command::{BucketState, LimitKind};
use crate::limits::service::{Granted, Refused, Unsettled};
use crate::shares::token::{Purpose, ShareToken};
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;

/// The rate limits of one request. All copies share the state. Handlers get it as an extension of the request.
#[derive(Clone)]
pub struct Limits(Arc<LimitsOfRequest>);

struct LimitsOfRequest {
    app: SharedApp,
    meter: ReadMeter,
    met: Mutex<Met>,
}

/// What a request has met so far.
#[derive(Default)]
struct Met {
    buckets: Vec<BucketState>,
    unsettled: Vec<Unsettled>,
}

/// What must be settled after the response was sent. The caller of [`crate::routes::handle`] finds it in the extensions
/// of the response and passes it to [`Settlements::settle`].
#[derive(Clone, Default)]
pub struct Settlements(Arc<Mutex<Vec<Unsettled>>>);

impl Settlements {
    /// Settles everything. A second call does nothing.
    pub async fn settle(&self, app: &SharedApp) {
        let unsettled = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for unsettled in unsettled {
            app.settle(unsettled).await;
        }
    }
}

impl Limits {
    /// Makes the limits of a request that has met none yet.
    pub fn new(app: SharedApp) -> Self {
        Self(Arc::new(LimitsOfRequest { app, meter: ReadMeter::default(), met: Mutex::default() }))
    }

    /// Reserves a call that scans `file`. Returns the storage service that counts the bytes that it reads.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn admit_cut(&self, storage: R2StorageService, file: &FileRow) -> Result<R2StorageService> {
        let LimitsOfRequest { app, meter, .. } = &*self.0;
        let outcome = app.reserve_cut(storage.principal(), file.file_size, meter).await;
        self.note(outcome)?;
        Ok(storage.metered(meter.clone()))
    }

    /// Reserves the bytes of a shared file from the limit of the share. Returns the storage service that counts the bytes that
    /// it reads.
    ///
    /// # Errors
    /// `rate_limited`; `unavailable` if the limit cannot be checked.
    pub async fn admit_shared_scan(
        &self,
        storage: R2StorageService,
        share: ShareId,
        file: &FileRow,
    ) -> Result<R2StorageService> {
        let LimitsOfRequest { app, meter, .. } = &*self.0;
        let outcome = app.reserve_shared_scan(share, file.file_size, meter).await;
        self.note(outcome)?;
        Ok(storage.metered(meter.clone()))
    }

    /// Counts a request that sends bytes of a file.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn admit_upload(&self, principal: &Principal) -> Result<()> {
        self.note(self.0.app.count_upload(principal).await)
    }

    /// Counts a request with the link of a share, for each of the limits of the purpose of the link. A link that the service did not make, or that has expired, is not
    /// counted: the handler refuses it, and it must make no object.
    ///
    /// # Errors
    /// `rate_limited`; `unavailable` if the limit cannot be checked.
    pub async fn admit_shared(&self, token: &str, limits: fn(Purpose) -> &'static [LimitKind]) -> Result<()> {
        let app = &self.0.app;
        let now_s = app.now().instant().timestamp();
        let token = ShareToken::verify(token, &Keyring::new(&app.config));
        let Some(token) = token.filter(|token| token.expires_at_s > now_s) else { return Ok(()) };
        self.note(app.count_shared(token.share, limits(token.purpose)).await)
    }

    /// Counts a registration.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn admit_sign_up(&self, caller: &Caller) -> Result<()> {
        self.note(self.0.app.count_sign_up(caller).await)
    }

    /// Adds something that must be settled.
    pub fn settle_later(&self, unsettled: Option<Unsettled>) {
        self.met().unsettled.extend(unsettled);
    }

    /// Inserts the headers of all limits that the request has met.
    pub fn insert_headers(&self, headers: &mut HeaderMap) {
        let status = |state: &BucketState| LimitStatus {
            name: state.limit.name(),
            quota: state.policy.capacity,
            window_s: state.policy.window_s,
            counts_bytes: state.limit == LimitKind::Scan,
            remaining: state.remaining,
            reset_s: state.reset_s,
        };
        let limits: Vec<_> = self.met().buckets.iter().map(status).collect();
        rate_limit::insert(headers, &limits);
    }

    /// Makes a streamed body settle the reservations of the request when it ends. For other bodies, also returns what must
    /// be settled after the response was sent; `None` if there is nothing.
    pub fn settle_with(&self, body: ResponseBody) -> (ResponseBody, Option<Settlements>) {
        let unsettled = std::mem::take(&mut self.met().unsettled);
        if unsettled.is_empty() {
            return (body, None);
        }
        let settlements = Settlements(Arc::new(Mutex::new(unsettled)));
        let settling = |source| {
            Box::new(SettlingSource { source, app: self.0.app.clone(), settlements: settlements.clone() })
        };
        match body {
            ResponseBody::Generated(source) => (ResponseBody::Generated(settling(source)), None),
            ResponseBody::Sized(source, length) => (ResponseBody::Sized(settling(source), length), None),
            body => (body, Some(settlements)),
        }
    }

    fn note(&self, outcome: std::result::Result<Granted, Refused>) -> Result<()> {
        let mut met = self.met();
        let (buckets, refused): (_, Option<Problem>) = match outcome {
            Ok(Granted { buckets, unsettled }) => {
                met.unsettled.extend(unsettled);
                (buckets, None)
            }
            Err(Refused { problem, buckets }) => (buckets, Some(problem)),
        };
        met.buckets.extend(buckets);
        refused.map_or(Ok(()), Err)
    }

    fn met(&self) -> std::sync::MutexGuard<'_, Met> {
        self.0.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A streamed body that settles the reservations of its request after its end, whether it was sent, failed, or the client
/// left.
struct SettlingSource {
    source: Box<dyn ByteSource>,
    app: SharedApp,
    settlements: Settlements,
}

#[async_trait]
impl ByteSource for SettlingSource {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        self.source.read(buffer).await
    }

    fn expect_fast(&mut self) {
        self.source.expect_fast();
    }

    async fn cancel(&mut self) {
        self.source.cancel().await;
        self.settlements.settle(&self.app).await;
    }

    async fn after_transfer(&mut self) {
        self.source.after_transfer().await;
        self.settlements.settle(&self.app).await;
    }
}
