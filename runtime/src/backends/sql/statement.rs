use super::Dialect;
use crate::schema::Part;
use crate::types::Value;

/// A statement: its text with placeholders, and the values bound to them in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statement {
    /// The text.
    pub text: String,
    /// The values, in the order of their placeholders, in the dialect's stored form.
    pub values: Vec<Value>,
}

impl Statement {
    /// A statement of our own words alone, without values.
    pub fn plain(text: &'static str) -> Self {
        Statement { text: text.to_owned(), values: Vec::new() }
    }
}

/// A statement being written. The only ways to add something that is not our own text are [`Sql::name`] and
/// [`Sql::bind`].
pub struct Sql<'d> {
    dialect: &'d dyn Dialect,
    text: String,
    values: Vec<Value>,
}

impl std::fmt::Debug for Sql<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sql").field("text", &self.text).finish_non_exhaustive()
    }
}

impl<'d> Sql<'d> {
    /// An empty statement.
    pub fn new(dialect: &'d dyn Dialect) -> Self {
        Sql { dialect, text: String::with_capacity(256), values: Vec::new() }
    }

    /// The dialect it is written in.
    pub fn dialect(&self) -> &'d dyn Dialect {
        self.dialect
    }

    /// Adds our own text. Static, so that nothing a user gave can come this way.
    pub fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a quoted name.
    pub fn name(&mut self, name: &str) -> &mut Self {
        self.dialect.quote(name, &mut self.text);
        self
    }

    /// Adds the path of a part's table, each name of it quoted by itself.
    pub fn table(&mut self, part: &Part) -> &mut Self {
        for (i, name) in part.path().enumerate() {
            if i > 0 {
                self.text.push('.');
            }
            self.dialect.quote(name, &mut self.text);
        }
        self
    }

    /// Adds a placeholder and binds a value, already in stored form, to it.
    pub fn bind(&mut self, value: Value) -> &mut Self {
        self.dialect.placeholder(self.values.len() + 1, &value, &mut self.text);
        self.values.push(value);
        self
    }

    /// Adds a number that the program computed (a position, a length); never a user's value.
    pub fn number(&mut self, number: usize) -> &mut Self {
        self.text.push_str(&number.to_string());
        self
    }

    /// Adds text that a dialect composed from its own words and numbers: column types, options.
    pub fn push_type(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Calls `each` for every item, with `separator` between.
    ///
    /// # Errors
    /// The first error of `each`.
    pub fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        separator: &'static str,
        mut each: impl FnMut(&mut Self, T) -> crate::Result<()>,
    ) -> crate::Result<()> {
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.push(separator);
            }
            each(self, item)?;
        }
        Ok(())
    }

    /// Whether nothing is written yet.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many values are bound so far.
    pub fn bound(&self) -> usize {
        self.values.len()
    }

    /// The finished statement.
    pub fn finish(self) -> Statement {
        Statement { text: self.text, values: self.values }
    }
}
