use sqlx::AssertSqlSafe;

/// Hands a text that this crate built to `sqlx`. The only place that asserts such a text to be safe: it was written by
/// [`Sql`](crate::backends::sql::Sql), whose only ways to add something that is not our own text are a quoted name and
/// a bound value, or it is one of a driver's own statements with quoted names.
pub(crate) fn audited(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
}
