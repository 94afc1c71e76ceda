//! A judge: a program that reads one statement a line, each as a JSON string, and says of each `ok` or `no` and why.

use std::io::{Error, Write};
use std::process::{Command, Stdio};

/// The program that judges statements of one engine.
#[derive(Clone, Debug)]
pub struct Judge {
    program: String,
}

/// What the judge says of one statement: nothing, or what is wrong with it.
pub type Verdict = Result<(), String>;

impl Judge {
    /// The judge whose program the variable names.
    ///
    /// # Panics
    /// Where engines are required (`HEAVENBASE_TEST_REQUIRED`) and this one is not there.
    pub fn of(variable: &str) -> Option<Judge> {
        if let Ok(program) = std::env::var(variable) {
            return Some(Judge { program });
        }
        assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "{variable} is not set: tests/services up starts the judge");
        eprintln!("not judged: {variable} is not set");
        None
    }

    /// What it says of each statement, in order.
    ///
    /// # Errors
    /// When the program cannot be run, fails, or answers another number of lines.
    pub fn verdicts<'s>(&self, statements: impl IntoIterator<Item = &'s str>) -> Result<Vec<Verdict>, Error> {
        let mut lines = tempfile::tempfile()?;
        let mut asked = 0;
        for statement in statements {
            asked += 1;
            writeln!(lines, "{}", serde_json::Value::String(statement.to_owned()))?;
        }
        std::io::Seek::rewind(&mut lines)?;
        // From a file and not through a pipe: who writes all before he reads anything would wait for himself.
        let output = Command::new(&self.program).stdin(lines).stderr(Stdio::inherit()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let verdicts: Vec<Verdict> = text
            .lines()
            .map(|line| match line {
                "ok" => Ok(()),
                other => Err(other.to_owned()),
            })
            .collect();
        if !output.status.success() || verdicts.len() != asked {
            let last = text.lines().last().unwrap_or_default();
            return Err(Error::other(format!("{}: {}, {} of {asked} lines, {last}", self.program, output.status, verdicts.len())));
        }
        Ok(verdicts)
    }

    /// The statements it does not take, each with the reason.
    ///
    /// # Errors
    /// As [`verdicts`](Judge::verdicts).
    pub fn refused(&self, statements: &[&str]) -> Result<Vec<(String, String)>, Error> {
        let verdicts = self.verdicts(statements.iter().copied())?;
        Ok(statements.iter().zip(verdicts).filter_map(|(text, verdict)| Some(((*text).to_owned(), verdict.err()?))).collect())
    }
}
