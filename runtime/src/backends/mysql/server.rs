//! The servers that speak MySQL's protocol, and all in which they differ.
//!
//! | | MariaDB | MySQL | OceanBase |
//! |---|---|---|---|
//! | text compares by bytes, blanks at the end included | `utf8mb4_nopad_bin` | `utf8mb4_0900_bin` | no such collation: text lies as bytes |
//! | a statement's time limit | `max_statement_time` | `max_execution_time` (reads; writes wait so long for a lock) | `ob_query_timeout` |
//! | JSON nests | 31 levels | 99 | 99 |

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// A server that speaks MySQL's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backends) enum Server {
    /// MariaDB 10.6 or later.
    MariaDb,
    /// MySQL 8.0.19 or later.
    MySql,
    /// OceanBase 4.3.5 or later, seekdb included.
    OceanBase,
}

/// What a connection is checked for: all of them must be in `sql_mode`.
const MODES: [&str; 2] = ["STRICT_ALL_TABLES", "NO_ENGINE_SUBSTITUTION"];

/// The modes of a session: what does not fit is an error, quotes and backslashes mean what they mean by default.
const SQL_MODE: &str = "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'";

/// Longest key of a sort, in bytes: a text of 65,535 characters. Servers cut longer ones, in silence.
const SORTED: u32 = 65_535 * 4;

/// What a session may use to sort, in bytes.
pub(super) const SORT_BUFFER: u32 = 8_388_608;

impl Server {
    /// Which server it is, by what it says of itself.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for one that is too old.
    pub(in crate::backends) fn detect(version: &str, comment: &str) -> Result<Server> {
        let (server, said, least) = if comment.contains("OceanBase") {
            (Server::OceanBase, comment.trim_start_matches(|c: char| !c.is_ascii_digit()), [4, 3, 5])
        } else if version.contains("MariaDB") {
            // Old clients were told a lesser version first.
            (Server::MariaDb, version.trim_start_matches("5.5.5-"), [10, 6, 0])
        } else {
            (Server::MySql, version, [8, 0, 19])
        };
        let mut found = [0u32; 3];
        let numbers = said.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
        found.iter_mut().zip(numbers).for_each(|(place, number)| *place = number);
        if found < least {
            let least = least.map(|n| n.to_string()).join(".");
            let why =
                format!("{} {} is too old: {least} is the oldest that is spoken to", server.name(), found.map(|n| n.to_string()).join("."));
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        Ok(server)
    }

    /// The product's name.
    pub(in crate::backends) fn name(self) -> &'static str {
        match self {
            Server::MariaDb => "MariaDB",
            Server::MySql => "MySQL",
            Server::OceanBase => "OceanBase",
        }
    }

    /// Whether text lies in columns of bytes, because the server has no collation that tells `a` from `a `.
    pub(super) fn keeps_bytes(self) -> bool {
        self == Server::OceanBase
    }

    /// The collation of what compares by characters: by code point, which is by byte.
    pub(super) fn collation(self) -> &'static str {
        match self {
            Server::MariaDb => "utf8mb4_nopad_bin",
            Server::MySql => "utf8mb4_0900_bin",
            Server::OceanBase => "utf8mb4_bin",
        }
    }

    /// What stands after the type of a text column.
    pub(super) fn collate(self) -> &'static str {
        match self {
            Server::MariaDb => " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
            Server::MySql => " CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
            Server::OceanBase => "",
        }
    }

    /// What closes an expression over text so that it compares by bytes; [`open_text`](Server::open_text) opens it.
    pub(super) fn close_text(self) -> &'static str {
        match self {
            Server::MariaDb => " USING utf8mb4) COLLATE utf8mb4_nopad_bin",
            Server::MySql => " USING utf8mb4) COLLATE utf8mb4_0900_bin",
            Server::OceanBase => " USING utf8mb4) AS BINARY)",
        }
    }

    /// See [`close_text`](Server::close_text).
    pub(super) fn open_text(self) -> &'static str {
        if self.keeps_bytes() { "CAST(CONVERT(" } else { "CONVERT(" }
    }

    /// What follows the closing bracket of a `CREATE TABLE`.
    pub(super) fn table_options(self) -> &'static str {
        match self {
            Server::MariaDb => " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
            Server::MySql => " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
            Server::OceanBase => " DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        }
    }

    /// The type of a JSON column. OceanBase's own type gives numbers back in another form.
    pub(super) fn json_type(self) -> &'static str {
        match self {
            Server::MariaDb | Server::MySql => "JSON",
            Server::OceanBase => "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        }
    }

    /// How deep a JSON value may nest; deeper ones the server's functions do not read.
    pub(super) fn json_depth(self) -> usize {
        match self {
            Server::MariaDb => 31,
            Server::MySql | Server::OceanBase => 99,
        }
    }

    /// How many statements a session keeps prepared. OceanBase counts each as an open cursor, and lets a session have 50.
    pub(super) fn prepared(self) -> usize {
        match self {
            Server::MariaDb | Server::MySql => 100,
            Server::OceanBase => 30,
        }
    }

    /// Whether many rows are written sooner by one long statement than by several: OceanBase takes 2 to 10 ms for each, prepared
    /// or not.
    pub(super) fn likes_long_statements(self) -> bool {
        self == Server::OceanBase
    }

    /// The statements that every session begins with.
    pub(super) fn session(self, timeout: Duration) -> String {
        let collation = self.collation();
        let mut text = format!("SET NAMES utf8mb4 COLLATE {collation}, sql_mode = {SQL_MODE}, time_zone = '+00:00'");
        let millis = timeout.as_millis();
        if millis > 0 && self != Server::OceanBase {
            // MySQL's time limit is one of reads alone; a write mostly waits for locks.
            text += &format!(", innodb_lock_wait_timeout = {}", millis.div_ceil(1000).min(1_000_000));
        }
        match self {
            Server::MariaDb => {
                // A long list of ids stays a list: as a table of its own it would be compared by another collation.
                text += &format!(", max_statement_time = {}.{:03}, in_predicate_conversion_threshold = 0", millis / 1000, millis % 1000);
                text += &format!(", max_sort_length = {SORTED}, sort_buffer_size = {SORT_BUFFER}, optimizer_search_depth = 4");
            }
            Server::MySql => {
                text += &format!(", max_execution_time = {millis}, max_sort_length = {SORTED}, sort_buffer_size = {SORT_BUFFER}");
                // Tables of words are joined in numbers; trying every order would take longer than any of them.
                text += ", optimizer_search_depth = 4";
            }
            Server::OceanBase => {
                // No limit is a year.
                let micros = if millis == 0 { 31_536_000_000_000 } else { timeout.as_micros() };
                text += &format!(", ob_query_timeout = {micros}, ob_trx_timeout = {}", micros.max(100_000_000));
            }
        }
        text + "; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
    }

    /// Checks what a session says its modes are.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] where one is missing, so that the server would cut values instead of refusing them.
    pub(super) fn check_modes(modes: &str) -> Result<()> {
        match MODES.iter().find(|wanted| !modes.split(',').any(|mode| mode == **wanted)) {
            None => Ok(()),
            Some(missing) => {
                let why = format!("the session's sql_mode lacks {missing}, although it was set: a proxy in between must let SET through");
                Err(Error::new(ErrorKind::InvalidSchema, why))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_apart() {
        let server = |version, comment| Server::detect(version, comment).map_err(|error| error.kind());
        assert_eq!(server("10.11.19-MariaDB-0+deb12u1", "Debian 12"), Ok(Server::MariaDb));
        assert_eq!(server("5.5.5-10.11.2-MariaDB", "mariadb.org binary distribution"), Ok(Server::MariaDb));
        assert_eq!(server("9.7.0", "MySQL Community Server - GPL"), Ok(Server::MySql));
        assert_eq!(server("5.7.25-OceanBase seekdb-v1.4.0.0", "OceanBase 4.3.5.3 seekdb (r1.4.0.0)"), Ok(Server::OceanBase));
        assert_eq!(server("5.7.44", "MySQL Community Server (GPL)"), Err(ErrorKind::Unsupported));
        assert_eq!(server("10.5.9-MariaDB", ""), Err(ErrorKind::Unsupported));
        assert!(Server::check_modes("STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION").is_ok());
        assert!(Server::check_modes("NO_ENGINE_SUBSTITUTION").is_err());
    }
}
