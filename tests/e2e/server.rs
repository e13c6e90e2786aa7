//! A server for tests: `wrangler dev` with its own port, state and log. The processes of the server end when its
//! [`Server`] is dropped.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::TcpListener;
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::http::{Call, Client};
use super::state::State;

/// The longest wait for an operation. Each operation takes only seconds, but a busy machine may be slow.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The token that gives access to `/api/admin` of these servers.
pub const OPERATOR_TOKEN: &str = "operator-of-end-to-end-tests-0123456789abcdef";

/// Rate limits that no test meets. All tests connect from one address. A test of a limit sets it lower.
const HIGH_LIMITS: [(&str, &str); 6] = [
    ("CUTS_PER_MINUTE", "120000"),
    ("SCAN_BYTES_PER_HOUR", "100000000000000"),
    ("UPLOADS_PER_MINUTE", "600000"),
    ("SIGN_UPS_PER_HOUR", "20000"),
    ("SIGN_IN_FREE_FAILURES", "3000"),
    ("SHARES_PER_MINUTE", "60000"),
];

/// The time between two checks for a change.
const POLL_INTERVAL: Duration = Duration::from_millis(40);

/// The Worker to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// The product as it is deployed.
    Product,
    /// The product wrapped by `entry.mjs`, which can make requests hang between two steps.
    CrashPoints,
    /// `bare.mjs`: the same runtime without our code.
    Bare,
    /// The product and its baseline in one process.
    #[allow(dead_code)] // only the benchmarks use it
    Measured,
}

impl Entry {
    fn module(self) -> &'static str {
        match self {
            Self::Product => "build/index.js",
            Self::CrashPoints => "tests/e2e/entry.mjs",
            Self::Bare => "tests/e2e/bare.mjs",
            Self::Measured => "benches/worker/index.mjs",
        }
    }
}

/// A running server.
pub struct Server {
    /// The port on which the server listens.
    pub port: u16,
    folder: PathBuf,
    keeper: Child,
    log: PathBuf,
    log_seen: AtomicU64,
}

/// A shell script that runs wrangler in a separate process group. When its standard input closes, the script kills the
/// group and removes the state. The standard input is a pipe from our process, so the pipe closes whenever our process
/// ends.
const KEEPER: &str = r#"
folder="$1"; log="$2"; shift 2
setsid "$@" >>"$log" 2>&1 </dev/null &
group=$!
echo "$group" >"$folder/group"
cat >/dev/null
kill -9 "-$group" 2>/dev/null
umount -l "$folder/state" 2>/dev/null
rm -rf "$folder"
"#;

impl Server {
    /// Starts a server with these variables changed, and waits until it responds.
    pub fn start(entry: Entry, variables: &[(&str, &str)]) -> Self {
        Self::start_on(entry, variables, |_| true).unwrap()
    }

    /// Starts a server whose state is on a disk that `mount` mounts. Returns `None` if `mount` returns `false`.
    pub fn start_on(
        entry: Entry,
        variables: &[(&str, &str)],
        mount: impl FnOnce(&Path) -> bool,
    ) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        build_once();
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = root().join("target/e2e").join(&name);
        fs::create_dir_all(folder.join("state")).unwrap();
        let log = folder.with_extension("log");
        if !mount(&folder.join("state")) {
            fs::remove_dir_all(&folder).unwrap();
            return None;
        }
        write_configuration(entry, &folder);
        if entry != Entry::Bare {
            copy(migrated_state(), &folder);
        }
        let port = free_port();
        let mut server = Self {
            port,
            keeper: spawn(&folder, &log, port, variables),
            folder,
            log,
            log_seen: AtomicU64::new(0),
        };
        server.wait_until_it_responds();
        Some(server)
    }

    /// Returns the folder with the rows and objects of this server.
    pub fn state_folder(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Returns a client without an account.
    pub fn client(&self) -> Client {
        Client::new(self.port)
    }

    /// Returns a client with a new account.
    pub fn user(&self) -> Client {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("user{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.client().register(&name)
    }

    /// Runs the sweeps as if `hours` hours had passed.
    pub fn sweep_after_hours(&self, hours: u64) {
        let then = SystemTime::now() + Duration::from_secs(hours * 3600);
        let ms = then.duration_since(UNIX_EPOCH).unwrap().as_millis();
        let path = format!("/cdn-cgi/local/scheduled?cron=*/5+*+*+*+*&time={ms}");
        let response = self.client().send(Call::get(&path)).unwrap();
        assert_eq!(response.status, 200, "{}", response.text());
    }

    /// Kills the process that runs the Worker, as `kill -9` does, and waits until a new process responds.
    pub fn kill_worker_process(&self) {
        let killed = self.worker_pid();
        assert!(Command::new("kill").args(["-9", &killed.to_string()]).status().unwrap().success());
        self.eventually("a new process that runs the Worker", || {
            let pid = self.find_worker_pid();
            pid.is_some_and(|pid| pid != killed).then_some(())
        });
        self.eventually("a response after the restart", || self.responds().then_some(()));
    }

    /// Returns the id of the process that runs the Worker. Wrangler's proxy is another process, which listens on the
    /// public port.
    pub fn worker_pid(&self) -> u32 {
        self.eventually("a process that runs the Worker", || self.find_worker_pid())
    }

    /// Returns the process id of wrangler, which is also the id of its process group. Returns `None` before wrangler is
    /// started.
    fn leader(&self) -> Option<String> {
        let pid = fs::read_to_string(self.folder.join("group")).ok()?;
        pid.strip_suffix('\n').map(str::to_owned)
    }

    fn find_worker_pid(&self) -> Option<u32> {
        let group = self.leader()?;
        let public = format!("--socket-addr=entry=127.0.0.1:{}", self.port);
        processes_of_group(&group).find(|pid| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let arguments: Vec<_> = command.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
            let listens = arguments.iter().any(|argument| argument.starts_with("--socket-addr=entry="));
            listens && !arguments.iter().any(|argument| *argument == public)
        })
    }

    /// Returns how much the memory of the Worker's process grows during `work`, in bytes: the peak during `work` minus
    /// the memory before `work`.
    pub fn growth_during(&self, work: impl FnOnce()) -> u64 {
        let pid = self.worker_pid();
        // Sets the recorded peak to the current memory (proc(5)).
        fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
        let before = peak_memory(pid);
        work();
        assert_eq!(self.worker_pid(), pid, "the process was replaced during the measurement");
        peak_memory(pid) - before
    }

    /// Waits until the log has a line that starts with `start`, and returns the rest of the line. The search ignores
    /// everything that was in the log when the previous call found its line.
    pub fn logged(&self, start: &str) -> String {
        self.eventually(&format!("{start:?} in the log"), || {
            let from = self.log_seen.load(Ordering::Relaxed);
            let log = self.log_from(from);
            // Looks only at complete lines, because the last line may not be complete yet.
            let (whole, _) = log.rsplit_once('\n')?;
            let found = whole.lines().find_map(|line| line.strip_prefix(start))?;
            self.log_seen.store(from + log.len() as u64, Ordering::Relaxed);
            Some(found.to_owned())
        })
    }

    /// Returns the log so far.
    pub fn log(&self) -> String {
        self.log_from(0)
    }

    fn log_from(&self, position: u64) -> String {
        let mut text = Vec::new();
        if let Ok(mut log) = File::open(&self.log) {
            let _ = log.seek(SeekFrom::Start(position)).and_then(|_| log.read_to_end(&mut text));
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Returns a copy of the rows and objects on disk. Call it only while nothing is written.
    pub fn state(&self) -> State {
        State::copy(&self.folder.join("state"), &self.folder.join("copy"))
    }

    /// Calls `look` repeatedly until it returns a value. Panics after [`PATIENCE`]; the message names `awaited`.
    pub fn eventually<T>(&self, awaited: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            assert!(Instant::now() < deadline, "waited {PATIENCE:?} without success for: {awaited}");
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn responds(&self) -> bool {
        // A request that is sent while the process is replaced sometimes gets no response. The timeout is short, so
        // that the caller soon sends the next request.
        let call = Call::get("/health").within(Duration::from_millis(500));
        self.client().send(call).is_ok_and(|response| response.status == 200)
    }

    fn wait_until_it_responds(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.responds() {
            let ended = self.leader().is_some_and(|pid| !runs(&pid));
            if ended || Instant::now() > deadline {
                panic!("wrangler dev does not serve:\n{}", self.end_of_log());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn end_of_log(&self) -> String {
        let length = fs::metadata(&self.log).map_or(0, |facts| facts.len());
        format!("the end of {}:\n{}", self.log.display(), self.log_from(length.saturating_sub(8000)))
    }

    /// Prints the end of the log if the current test has failed. `Server`, `Shared` and `Exclusive` call this function
    /// when they are dropped.
    pub fn show_log_on_failure(&self) {
        if std::thread::panicking() {
            eprintln!("{}", self.end_of_log());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.show_log_on_failure();
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        if !std::thread::panicking() {
            let _ = fs::remove_file(&self.log);
        }
    }
}

/// A server that other tests use too.
pub struct Shared(&'static Server);

impl Deref for Shared {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.0.show_log_on_failure();
    }
}

/// Returns the shared server, for tests that do not change the server itself. Each test uses its own accounts.
pub fn shared() -> Shared {
    static SERVER: OnceLock<Server> = OnceLock::new();
    Shared(SERVER.get_or_init(|| Server::start(Entry::Product, &[])))
}

/// Maximum number of servers with crash points. A test that kills a process spends most of its time waiting for the new
/// process. So there may be more of these servers than cores.
const CRASHING_SERVERS: usize = 3;

/// The slots that no test uses now. A slot is empty or contains a server with crash points. At first, all slots are
/// empty.
static IDLE: LazyLock<Mutex<Vec<Option<Server>>>> =
    LazyLock::new(|| Mutex::new((0..CRASHING_SERVERS).map(|_| None).collect()));

/// Notified when a slot becomes free.
static SLOT_FREED: Condvar = Condvar::new();

/// A server that only one test uses. The test may kill the server's process and run its sweeps.
pub struct Exclusive(Option<Server>);

impl Deref for Exclusive {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.0.as_ref().unwrap()
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        let server = self.0.take();
        if let Some(server) = &server {
            server.show_log_on_failure();
        }
        // Even if this test has failed, the next test can use the same server.
        IDLE.lock().unwrap().push(server);
        SLOT_FREED.notify_one();
    }
}

/// Waits for a free server with crash points. Prefers a running server to a new one.
pub fn exclusive() -> Exclusive {
    let mut idle = SLOT_FREED.wait_while(IDLE.lock().unwrap(), |idle| idle.is_empty()).unwrap();
    let mut server = Exclusive(idle.pop().unwrap());
    drop(idle);
    server.0.get_or_insert_with(|| {
        let server = Server::start(Entry::CrashPoints, &[]);
        // The local store creates its database when it stores the first object. `Server::state` needs this database.
        server.user().upload("first.csv", b"a,b\n1,2\n");
        server
    });
    server
}

/// Returns the root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Builds the Worker and the pages if they are out of date, and removes the files that earlier runs left, mostly logs.
fn build_once() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        require("setsid", "apt-get install util-linux");
        remove_leftovers(&root().join("target/e2e"));
        let built = Command::new(root().join("scripts/build")).env_remove("CUTTY_BUILD").output().unwrap();
        assert!(built.status.success(), "scripts/build:\n{}", String::from_utf8_lossy(&built.stderr));
        let wrangler = root().join("node_modules/.bin/wrangler");
        assert!(wrangler.exists(), "wrangler is missing. Install it: scripts/setup");
    });
}

/// Removes the entries whose process no longer runs. The name of an entry starts with the id of the process that
/// created it.
fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let runs = name.split('-').next().is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !runs {
            let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
        }
    }
}

/// Panics with the install command if a tool is missing.
pub fn require(tool: &str, install: &str) {
    let found =
        std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|folder| folder.join(tool).exists());
    assert!(found, "{tool} is missing. Install it: {install}");
}

/// Writes a `wrangler.toml` whose Worker starts in `entry`, and a file with secrets. The written `wrangler.toml` is a
/// copy of the deployed one. The copy has settings for tests, and neither environments nor a build command.
fn write_configuration(entry: Entry, folder: &Path) {
    let deployed = fs::read_to_string(root().join("wrangler.toml")).unwrap();
    let (mut section, mut name) = ("", "");
    let mut kept = String::new();
    for line in deployed.lines() {
        if line.starts_with('[') {
            section = line;
        }
        if line.starts_with("name = ") {
            name = line;
        }
        let line = match line.split(" = ").next() {
            _ if section == "[build]" || section.contains("[env.") => continue,
            Some("main") => format!("main = {:?}", root().join(entry.module())),
            // All tests connect from one address, so the deployed limit would refuse them.
            Some("simple") if name.contains("ADDRESS_LIMIT") => {
                "simple = { limit = 1000000, period = 60 }".to_owned()
            }
            // Waiting for more messages would only slow the tests down.
            Some("max_batch_timeout") => "max_batch_timeout = 1".to_owned(),
            // With the deployed delay, a test that makes a job fail would wait for minutes.
            Some("retry_delay") => "retry_delay = 1".to_owned(),
            Some("directory") => format!("directory = {:?}", root().join("web/dist")),
            Some("migrations_dir") => format!("migrations_dir = {:?}", root().join("migrations")),
            _ => line.to_owned(),
        };
        kept.push_str(&line);
        kept.push('\n');
    }
    fs::write(folder.join("wrangler.toml"), kept).unwrap();
    let secrets = format!(
        "JWT_SECRET=\"end-to-end tests sign their tokens with this\"\n\
         SIGNING_SECRET=\"end-to-end tests sign their links with this\"\nOPERATOR_TOKEN=\"{OPERATOR_TOKEN}\"\n"
    );
    fs::write(folder.join(".dev.vars"), secrets).unwrap();
}

/// Returns the folder of a state whose database has all migrations and no rows. Each server starts with a copy of this
/// state.
fn migrated_state() -> &'static Path {
    static STATE: OnceLock<PathBuf> = OnceLock::new();
    STATE.get_or_init(|| {
        let folder = root().join("target/e2e").join(format!("{}-migrated", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        write_configuration(Entry::Product, &folder);
        let mut command = Command::new(root().join("node_modules/.bin/wrangler"));
        command.args(["d1", "migrations", "apply", "DB", "--local", "--persist-to", "state"]);
        let done = isolated(&mut command, &folder).output().unwrap();
        assert!(done.status.success(), "the migrations:\n{}", String::from_utf8_lossy(&done.stderr));
        folder.join("state")
    })
}

fn copy(from: &Path, into: &Path) {
    assert!(Command::new("cp").arg("-r").arg(from).arg(into).status().unwrap().success());
}

fn spawn(folder: &Path, log: &Path, port: u16, variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", KEEPER, "sh"]).arg(folder).arg(log);
    command.arg(root().join("node_modules/.bin/wrangler")).args(["dev", "--ip", "127.0.0.1"]);
    command.args(["--port", &port.to_string(), "--inspector-port", "0"]);
    command.args(["--show-interactive-dev-session=false", "--persist-to"]).arg(folder.join("state"));
    let overruled = |name: &str| variables.iter().any(|(other, _)| *other == name);
    for (name, value) in HIGH_LIMITS.iter().filter(|(name, _)| !overruled(name)).chain(variables) {
        command.args(["--var", &format!("{name}:{value}")]);
    }
    isolated(&mut command, folder).stdin(Stdio::piped()).process_group(0).spawn().unwrap()
}

/// Sets the folder and the environment of a command. The command runs in the server's folder with the project's tools.
/// Wrangler sends no usage statistics and does not connect to other local servers.
fn isolated<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    let tools = root().join("node_modules/.bin");
    let path = std::env::var("PATH").unwrap();
    command
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", tools.display()))
        .env("WRANGLER_SEND_METRICS", "false")
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
        .env("WRANGLER_REGISTRY_PATH", folder.join("registry"))
        .env("CI", "1")
}

/// Returns the peak memory of a process, in bytes.
fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Returns a free port from 20,000 to 31,999. The system takes the ports of outgoing connections from a higher range,
/// so no connection takes the port before the server listens. Each test process starts its search at another port.
fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(61);
    let next = || {
        let place = first.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % 12_000;
        20_000 + place as u16
    };
    let mut ports = std::iter::repeat_with(next);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

fn processes_of_group(group: &str) -> impl Iterator<Item = u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(move |pid: &u32| stat(&pid.to_string()).nth(2).as_deref() == Some(group))
}

/// Whether a process exists and is not a zombie.
fn runs(pid: &str) -> bool {
    stat(pid).next().is_some_and(|state| state != "Z")
}

/// Returns the fields of `/proc/PID/stat` (proc(5)) after the name: state, parent, group and more. The function looks
/// for the last `)`, because the name may contain any character.
fn stat(pid: &str) -> impl Iterator<Item = String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    after_name.split(' ').map(str::to_owned).collect::<Vec<_>>().into_iter()
}
