//! Marks users whose estimated cost of the current month has reached their budget, and removes the mark in a new month or
//! when the budget is raised or removed. Costs 1 D1 call per run to read the users, and 1 call to write the marks that
//! change.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use super::position::SweepPosition;
use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::domain::ids::UserId;
use crate::domain::log::LogLine;
use crate::domain::month::Month;
use crate::domain::prices::Micros;
use crate::error::Result;
use crate::sql::usage as sql;
use crate::usage::CountedMonth;

/// Marks users whose budget is spent.
pub struct WatchBudgets;

#[derive(Deserialize)]
struct BudgetRow {
    user_id: UserId,
    budget_micros: Option<u64>,
    budget_spent_month: Option<String>,
    #[serde(flatten)]
    counted: CountedMonth,
}

#[async_trait]
impl Sweep for WatchBudgets {
    fn name(&self) -> &'static str {
        "watch_budgets"
    }

    fn max_items(&self) -> u64 {
        500
    }

    fn cost(&self) -> Cost {
        Cost { base: 2, each: 0 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let month = Month::of(step.now);
        let (name, days) = (month.to_string(), json!(month.days_until(step.now)).to_string());
        let position: SweepPosition = step.resume();
        let page = sql::Budgets { month: &name, days: &days, after: &position.id, limit: step.limit };
        let rows = app.database.query(page.statement()).await?;
        let full = rows.len() as u64 == step.limit;
        let last = rows.last().map(|row| SweepPosition::from_row(row, "user_id", "user_id"));
        let mut changes = Vec::new();
        for row in rows {
            step.examined += 1;
            let Some(row) = step.read::<BudgetRow>(app, row, "user_id") else { continue };
            let cost = match row.counted.cost(month, &app.config.prices) {
                Ok(cost) => cost.total(),
                Err(problem) => {
                    step.postpone(app, row.user_id.as_str(), &problem);
                    continue;
                }
            };
            let is_spent = row.budget_micros.is_some_and(|budget| cost >= Micros(budget));
            let spent_month = is_spent.then_some(name.as_str());
            if row.budget_spent_month.as_deref() != spent_month {
                changes.push((row, cost, spent_month));
            }
        }
        if !changes.is_empty() {
            let mark = |(row, _, spent_month): &(BudgetRow, _, Option<&str>)| {
                let (user, budget_micros, spent_month) = (&row.user_id, row.budget_micros, *spent_month);
                sql::MarkBudget { user, budget_micros, spent_month }.statement()
            };
            let results = app.database.batch(changes.iter().map(mark).collect()).await?;
            for ((row, cost, spent_month), changed) in changes.iter().zip(results) {
                if changed.is_empty() {
                    continue;
                }
                step.changed += 1;
                let message = match spent_month {
                    Some(_) => "a user has spent the budget of the month",
                    None => "the budget of a user is not spent any more",
                };
                let budget = row.budget_micros.map(|micros| Micros(micros).dollars());
                app.write_log(
                    LogLine::info(message)
                        .with("user_id", &row.user_id)
                        .with("budget_usd", budget)
                        .with("cost_usd", cost.dollars()),
                );
            }
        }
        step.save_position(full, last);
        Ok(())
    }
}
