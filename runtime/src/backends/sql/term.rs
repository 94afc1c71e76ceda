use super::Sql;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, ID_COLUMN, Part};
use crate::types::LogicalType;

/// Something of a row that a test or an order speaks of: the id, a column, or the length of a list column.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// The part.
    pub part: &'a Part,
    /// The column; `None` for the id.
    pub column: Option<&'a Column>,
    /// Whether the number of the list's items is meant.
    pub length: bool,
}

impl<'a> Term<'a> {
    /// The id of the row.
    pub fn id(part: &'a Part) -> Self {
        Term { part, column: None, length: false }
    }

    /// A column by position.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the part has no such column.
    pub fn column(part: &'a Part, position: usize) -> Result<Self> {
        let column = part.columns.get(position);
        let column = column.ok_or_else(|| Error::new(ErrorKind::Internal, "a column position outside of the part"))?;
        Ok(Term { part, column: Some(column), length: false })
    }

    /// The column of a field, or the id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] when the field does not lie in the part.
    pub fn field(part: &'a Part, field: &str) -> Result<Self> {
        if field == ID_COLUMN {
            return Ok(Term::id(part));
        }
        let column = part.column(field).map(|(_, column)| column);
        let column = column.ok_or_else(|| {
            Error::new(ErrorKind::InvalidQuery, "the entity has no such field, or it is not stored here").at_field(field.to_owned())
        })?;
        Ok(Term { part, column: Some(column), length: false })
    }

    /// The number of the list's items.
    #[must_use]
    pub fn length(self) -> Self {
        Term { length: true, ..self }
    }

    /// The logical type.
    pub fn logical(&self) -> LogicalType {
        match self.column {
            _ if self.length => LogicalType::INT,
            Some(column) => column.logical,
            None => LogicalType::Id,
        }
    }

    /// Whether it may be null.
    pub fn nullable(&self) -> bool {
        self.column.is_some_and(|column| column.nullable)
    }

    /// The physical name of the column.
    pub fn physical(&self) -> &'a str {
        self.column.map_or_else(|| self.part.id_column(), |column| &column.physical)
    }

    /// Writes the column itself: `t."price"`.
    pub fn write_column(&self, sql: &mut Sql<'_>) {
        let dialect = sql.dialect();
        match self.column {
            Some(column) if dialect.lies_apart(self.part, column) => dialect.write_apart(sql, self),
            _ => {
                sql.push("t.").name(self.physical());
            }
        }
    }

    /// Writes the term as an expression.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when the dialect has no list length.
    pub fn write(&self, sql: &mut Sql<'_>) -> Result<()> {
        if self.length {
            return sql.dialect().list_length(sql, self);
        }
        self.write_column(sql);
        Ok(())
    }
}
