//! The switches of the service. Each switch has the position of its variable, unless an operator has set it at run time.
//!
//! What operators have set is in the database. Each isolate reads it at most once in 10 s, so a switch takes effect
//! everywhere within 10 s. If the database fails, an isolate uses what it has read last, or the variables.

pub mod known;

use crate::app::App;
use crate::domain::log::LogLine;
use crate::domain::switch::{Switch, SwitchPositions};
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::{Row, from_row};
use crate::sql::switches as sql;

/// `Retry-After` of a refused request, in seconds.
const RETRY_AFTER_S: u32 = 60;

/// A switch, and who decides its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwitchState {
    /// The switch.
    pub switch: Switch,
    /// Whether it is on.
    pub is_on: bool,
    /// When an operator set it; `None` if its variable decides.
    pub changed_at: Option<Timestamp>,
}

/// A change of a switch: the position, or `None` to give it back to its variable.
pub type SwitchChange = (Switch, Option<bool>);

impl App {
    /// Refuses a request if a switch is off that it needs, or if nothing can be changed and it changes something. Costs 1 D1
    /// call if this isolate has not read the switches in the last 10 s.
    ///
    /// # Errors
    /// `switched_off` with `Retry-After`.
    pub async fn require_switches(&self, needed: &[Switch]) -> Result<()> {
        if needed.is_empty() {
            return Ok(());
        }
        self.refresh_switches().await;
        let positions = self.known_switches();
        // Without the cache, everything works.
        let is_missing = |switch: Switch| match switch {
            Switch::Cache => false,
            Switch::ReadOnly => positions.is_on(switch),
            Switch::Uploads | Switch::Cuts | Switch::Shares => !positions.is_on(switch),
        };
        let off = needed.iter().find(|switch| is_missing(**switch));
        match off {
            Some(switch) => Err(refusal(*switch)),
            None => Ok(()),
        }
    }

    /// Returns the positions as this isolate knows them, without a call.
    pub fn known_switches(&self) -> SwitchPositions {
        let mut positions = self.config.switches;
        for set in self.switches.set() {
            positions.set(set.name, set.is_on != 0);
        }
        positions
    }

    /// Reads what operators have set, if this isolate has not done so in the last 10 s.
    pub async fn refresh_switches(&self) {
        let now = self.now();
        if !self.switches.begin_read(now) {
            return;
        }
        match self.database.query(sql::Switches {}.statement()).await {
            Ok(rows) => self.keep_switches(now, rows),
            Err(error) => self.write_log(LogLine::error("the switches cannot be read").caused_by(error)),
        }
    }

    fn keep_switches(&self, now: Timestamp, rows: Vec<Row>) {
        // A newer version may have more switches.
        self.switches.keep(now, rows.into_iter().filter_map(|row| from_row(row).ok()).collect());
    }

    /// Reads the state of every switch. Costs 1 D1 call.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn switch_states(&self) -> Result<Vec<SwitchState>> {
        let rows = self.database.query(sql::Switches {}.statement()).await?;
        self.keep_switches(self.now(), rows);
        Ok(self.known_switch_states())
    }

    /// Returns the state of every switch as this isolate knows it, without a call.
    pub fn known_switch_states(&self) -> Vec<SwitchState> {
        let known = self.switches.set();
        let changed_at =
            |switch: Switch| known.iter().find(|set| set.name == switch).map(|set| set.changed_at);
        let positions = self.known_switches();
        let state =
            |switch| SwitchState { switch, is_on: positions.is_on(switch), changed_at: changed_at(switch) };
        Switch::ALL.into_iter().map(state).collect()
    }

    /// Changes switches together, and returns the state of every switch. Costs 1 D1 call.
    ///
    /// # Errors
    /// `unavailable`. Then the change may or may not have happened.
    pub async fn change_switches(&self, changes: &[SwitchChange]) -> Result<Vec<SwitchState>> {
        let now = self.now();
        let mut statements: Vec<_> = changes
            .iter()
            .map(|(switch, position)| match position {
                Some(is_on) => sql::SetSwitch { name: switch.name(), is_on: *is_on, now }.statement(),
                None => sql::ReleaseSwitch { name: switch.name() }.statement(),
            })
            .collect();
        statements.push(sql::Switches {}.statement());
        let rows = self.database.batch(statements).await?.pop().unwrap_or_default();
        self.keep_switches(now, rows);
        Ok(self.known_switch_states())
    }
}

fn refusal(switch: Switch) -> Problem {
    let what = match switch {
        Switch::Cache => "The cache is",
        Switch::Uploads => "Uploads are",
        Switch::Cuts => "Cuts are",
        Switch::Shares => "Links and sharing are",
        Switch::ReadOnly => "Changes are",
    };
    let detail = format!(
        "{what} switched off at the moment. Nothing was changed. Try again later, or ask the operators of this service."
    );
    Problem::new(Code::SwitchedOff, detail).retry_after(RETRY_AFTER_S)
}
