//! The operation that moves the clock forward, and the operation that runs the sweeps.

use chrono::TimeDelta;

use super::World;
use super::file::{File, Status};
use crate::support::turns::expect_ready;

impl World {
    pub(super) fn pass_time(&mut self) {
        let hours = self.rng.one(&[0, 1, 7, 31, 24 * 10, 24 * 31]);
        self.app.advance(TimeDelta::hours(hours) + TimeDelta::milliseconds(1));
    }

    pub(super) fn sweep(&mut self) {
        let now = self.app.now();
        assert_eq!(expect_ready(self.app.sweep(now)).unwrap().failed, 0);
        for file in
            self.files.iter_mut().filter(|file| file.status != Status::Deleted && file.is_expired(now))
        {
            file.trash(now);
        }
        let oldest = now.plus(-TimeDelta::days(30)).instant();
        let is_over = |file: &File| file.trashed.is_some_and(|at| at.instant() <= oldest);
        self.gone.extend(self.files.iter().filter(|file| is_over(file)).map(|file| file.id.clone()));
        self.files.retain(|file| !is_over(file));
        self.app.assert_consistent();
    }
}
