use super::Sql;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, ID_COLUMN, KeyKind, Part};
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
    /// Whether the key itself is meant and not the id, its text: on a table that exists already the two may differ.
    pub key: bool,
}

impl<'a> Term<'a> {
    /// The id of the row.
    pub fn id(part: &'a Part) -> Self {
        Term { part, column: None, length: false, key: false }
    }

    /// The key of the row as it lies in its column. Compares with values of [`KeyKind::value`](crate::schema::KeyKind::value).
    pub fn key(part: &'a Part) -> Self {
        Term { key: true, ..Term::id(part) }
    }

    /// A column by position.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the part has no such column.
    pub fn column(part: &'a Part, position: usize) -> Result<Self> {
        let column = part.columns.get(position);
        let column = column.ok_or_else(|| Error::new(ErrorKind::Internal, "a column position outside of the part"))?;
        Ok(Term { part, column: Some(column), length: false, key: false })
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
        Ok(Term { part, column: Some(column), length: false, key: false })
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
            None if self.key => self.part.key().kind.logical(),
            None => LogicalType::Id,
        }
    }

    /// Whether it may be null.
    pub fn nullable(&self) -> bool {
        self.column.is_some_and(|column| column.nullable)
    }

    /// The position of the column in the part; `None` for the id.
    pub fn position(&self) -> Option<usize> {
        self.part.columns.iter().position(|column| self.column.is_some_and(|own| std::ptr::eq(own, column)))
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

    /// Whether this is the id, and the key beneath it no text.
    pub fn is_derived_id(&self) -> bool {
        self.column.is_none() && !self.key && self.part.key().kind != KeyKind::Text
    }

    /// Writes the term as an expression that compares as its logical type does: text by bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when the dialect has no list length.
    pub fn write(&self, sql: &mut Sql<'_>) -> Result<()> {
        if self.length {
            return sql.dialect().list_length(sql, self);
        }
        let text = || matches!(self.logical(), LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_));
        if self.is_derived_id() {
            sql.dialect().key_text(sql, self.part);
        } else if self.part.is_mapped() && text() {
            sql.dialect().existing_text(sql, self);
        } else {
            self.write_column(sql);
        }
        Ok(())
    }

    /// Writes what rows are ordered by for the order of this term.
    ///
    /// # Errors
    /// As [`write`](Term::write).
    pub fn write_order(&self, sql: &mut Sql<'_>) -> Result<()> {
        if self.is_derived_id() && self.part.key().kind.sorts_as_text() && sql.dialect().sorts_uuids_by_bytes() {
            self.write_column(sql);
            return Ok(());
        }
        self.write(sql)
    }
}
