//! The switches that an operator has set.

use super::statement::statements;
use crate::domain::time::Timestamp;

statements! {
    /// Selects every switch that an operator has set.
    Switches {} = "SELECT name, is_on, changed_at FROM switches
        WHERE name IN ('cache', 'uploads', 'cuts', 'shares', 'read_only')";
    /// Sets a switch.
    SetSwitch<'a> { name: &'a str, is_on: bool, now: Timestamp } =
        "INSERT INTO switches (name, is_on, changed_at) VALUES (:name, :is_on, :now)
        ON CONFLICT (name) DO UPDATE SET is_on = excluded.is_on, changed_at = excluded.changed_at";
    /// Gives a switch back to its variable.
    ReleaseSwitch<'a> { name: &'a str } = "DELETE FROM switches WHERE name = :name";
}
