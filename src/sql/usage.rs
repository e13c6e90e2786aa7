//! What users did and stored, by month. Triggers write the tables `usage_months` and `storage_days`.

use super::statement::statements;
use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;

/// Expression: what `$user` stored on the day `value`. `$peak` and `$start` are columns of `storage_days`, and `$now` is
/// an expression for what the user stores since the last row.
macro_rules! stored_on_day {
    ($user:literal, $peak:literal, $start:literal, $now:literal) => {
        concat!(
            "coalesce((SELECT CASE day WHEN value THEN ",
            $peak,
            " ELSE ",
            $start,
            " END FROM storage_days WHERE storage_days.user_id = ",
            $user,
            " AND day >= value ORDER BY day LIMIT 1), ",
            $now,
            ", 0)"
        )
    };
}

/// Columns: what `$user` did in the month `$month`, and stored on the days in the JSON array `$days`. `operations` is a
/// JSON array of arrays: action, operations, failed operations, bytes, scanned bytes. `storage` is a JSON array: the sum
/// of the daily peaks in bytes, the part of this sum in the class InfrequentAccess, and the highest peak.
macro_rules! month_of {
    ($user:literal, $month:literal, $days:literal) => {
        concat!(
            "(SELECT json_group_array(json_array(action, operations, failed, bytes, bytes_scanned)) FROM usage_months
                WHERE usage_months.user_id = ",
            $user,
            " AND usage_months.month = ",
            $month,
            ") AS operations,
            (SELECT json_array(coalesce(sum(bytes), 0), coalesce(sum(infrequent), 0), coalesce(max(bytes), 0)) FROM (SELECT ",
            stored_on_day!(
                $user,
                "peak_bytes",
                "start_bytes",
                "(SELECT used_bytes FROM quotas WHERE quotas.user_id = storage_user)"
            ),
            " AS bytes, ",
            stored_on_day!(
                $user,
                "infrequent_peak_bytes",
                "infrequent_start_bytes",
                "(SELECT infrequent_bytes FROM usage WHERE usage.user_id = storage_user)"
            ),
            " AS infrequent FROM (SELECT value, ",
            $user,
            " AS storage_user FROM json_each(",
            $days,
            ")))) AS storage"
        )
    };
}

statements! {
    /// Selects what `:user` did and stored in each month of `:months`, the newest month first. `:months` is a JSON object:
    /// the name of each member is a month, and its value is a JSON array with the days of this month until today.
    MonthsOfUser<'a> { user: &'a UserId, months: &'a str } = concat!("SELECT :user AS user_id,
            (SELECT username FROM users WHERE id = :user AND deleted_at IS NULL) AS username, listed.key AS month, ",
            month_of!(":user", "listed.key", "listed.value"), "
        FROM json_each(:months) AS listed ORDER BY listed.key DESC");
    /// Selects what users did and stored in `:month`: at most `:limit` users, ordered by id. The page begins after the
    /// user `:after`. `:days` is a JSON array with the days of the month until today.
    UsersOfMonth<'a> { month: &'a str, days: &'a str, after: &'a str, limit: u64 } = concat!("SELECT found.user_id,
            (SELECT username FROM users WHERE id = found.user_id AND deleted_at IS NULL) AS username, :month AS month, ",
            month_of!("found.user_id", ":month", ":days"), "
        FROM (SELECT user_id FROM (SELECT user_id FROM quotas WHERE user_id > :after ORDER BY user_id LIMIT :limit)
            UNION SELECT user_id FROM (SELECT DISTINCT user_id FROM usage_months
                WHERE month = :month AND user_id > :after ORDER BY user_id LIMIT :limit)
            ORDER BY 1 LIMIT :limit) AS found
        ORDER BY found.user_id");
    /// Selects at most `:limit` users who have a budget, or a mark that their budget is spent, ordered by id, with what
    /// they did and stored in `:month`. The page begins after the user `:after`.
    Budgets<'a> { month: &'a str, days: &'a str, after: &'a str, limit: u64 } = concat!("SELECT budgets.user_id,
            budget_micros, budget_spent_month, ", month_of!("budgets.user_id", ":month", ":days"), "
        FROM quotas AS budgets INDEXED BY quotas_with_budget
        WHERE (budget_micros IS NOT NULL OR budget_spent_month IS NOT NULL) AND budgets.user_id > :after
        ORDER BY budgets.user_id LIMIT :limit");
    /// Sets or removes the mark that the budget of a month is spent, unless the budget has changed. Returns the user if
    /// the mark has changed.
    MarkBudget<'a> { user: &'a UserId, budget_micros: Option<u64>, spent_month: Option<&'a str> } =
        "UPDATE quotas SET budget_spent_month = :spent_month
        WHERE user_id = :user AND budget_micros IS :budget_micros AND budget_spent_month IS NOT :spent_month
        RETURNING user_id";
    /// Sets limits of an account. A limit is not changed if its parameter `:sets_…` is 0; NULL is the default.
    SetLimits<'a> {
        user: &'a UserId,
        sets_quota_bytes: bool,
        quota_bytes: Option<u64>,
        sets_quota_files: bool,
        quota_files: Option<u64>,
        sets_purge_allowance: bool,
        purge_allowance_bytes: Option<u64>,
        sets_budget: bool,
        budget_micros: Option<u64>,
        when_budget_spent: Option<&'a str>,
        now: Timestamp,
    } = "INSERT INTO quotas (user_id, quota_bytes, quota_files, purge_allowance_bytes, budget_micros, when_budget_spent,
            updated_at)
        SELECT id, :quota_bytes, :quota_files, :purge_allowance_bytes, :budget_micros,
            coalesce(:when_budget_spent, 'warn'), :now FROM users WHERE id = :user AND deleted_at IS NULL
        ON CONFLICT (user_id) DO UPDATE SET
            quota_bytes = CASE WHEN :sets_quota_bytes THEN :quota_bytes ELSE quota_bytes END,
            quota_files = CASE WHEN :sets_quota_files THEN :quota_files ELSE quota_files END,
            purge_allowance_bytes =
                CASE WHEN :sets_purge_allowance THEN :purge_allowance_bytes ELSE purge_allowance_bytes END,
            budget_micros = CASE WHEN :sets_budget THEN :budget_micros ELSE budget_micros END,
            when_budget_spent = coalesce(:when_budget_spent, when_budget_spent),
            updated_at = :now";
    /// Deletes at most `:limit` rows of months before `:before` (YYYY-MM). Returns the users.
    ForgetMonths<'a> { before: &'a str, limit: u64 } = "DELETE FROM usage_months WHERE (user_id, month, action) IN
        (SELECT user_id, month, action FROM usage_months WHERE month < :before ORDER BY month LIMIT :limit)
        RETURNING user_id";
    /// Deletes at most `:limit` rows of days before `:before` (YYYY-MM-DD). Returns the users.
    ForgetDays<'a> { before: &'a str, limit: u64 } = "DELETE FROM storage_days WHERE (user_id, day) IN
        (SELECT user_id, day FROM storage_days WHERE day < :before ORDER BY day LIMIT :limit) RETURNING user_id";
}
