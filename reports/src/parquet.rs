//! Parquet: the table of CSV with typed columns, for pandas and DuckDB.
//!
//! Whole numbers are UINT_64, others DOUBLE, words UTF-8 strings; what is not known is null. Rows go out
//! in groups of one size, and neither host nor clock enters the file: its bytes depend on the rows and
//! the version of the writer alone.

use std::io::{self, Write};
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::Type;

use crate::figure::{Figure, Kind};
use crate::run_table::{cells, heads};
use crate::schema::Run;

/// Rows of a group, all of which are held in memory: with drawn parameters a row has some kilobytes.
const GROUP_ROWS: usize = 1 << 14;

/// A file that is being written.
pub struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Held>,
    rows: usize,
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// `output` cannot be written.
    pub fn new(output: W) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_created_by(concat!("pamt-bench version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            .build();
        let schema = schema().map_err(io_error)?;
        let file = SerializedFileWriter::new(output, Arc::new(schema), Arc::new(properties))
            .map_err(io_error)?;
        Ok(Self { file, columns: empty(), rows: 0 })
    }

    /// Adds the row of a run.
    ///
    /// # Errors
    /// `output` cannot be written.
    pub fn add(&mut self, run: &Run) -> io::Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(cells(run)) {
            column.push(cell);
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// `output` cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.file.close().map_err(io_error)?;
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        self.rows = 0;
        let columns = std::mem::replace(&mut self.columns, empty());
        self.try_write_group(columns).map_err(io_error)
    }

    fn try_write_group(&mut self, columns: Vec<Held>) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for column in columns {
            // The schema has a column for each that is held.
            let Some(writer) = group.next_column()? else { break };
            column.write(writer)?;
        }
        group.close()?;
        Ok(())
    }
}

fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => io::Error::other(source),
        other => io::Error::other(other),
    }
}

fn schema() -> Result<Type, ParquetError> {
    let fields = heads().map(|(name, kind)| {
        let (physical, logical) = match kind {
            Kind::Int => (Physical::INT64, Some(LogicalType::integer(64, false))),
            Kind::Real => (Physical::DOUBLE, None),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        Type::primitive_type_builder(name, physical)
            .with_logical_type(logical)
            .with_repetition(Repetition::OPTIONAL)
            .build()
            .map(Arc::new)
    });
    Type::group_type_builder("runs").with_fields(fields.collect::<Result<_, _>>()?).build()
}

fn empty() -> Vec<Held> {
    heads().map(|(_, kind)| Held { values: Values::of(kind), levels: Vec::new() }).collect()
}

/// The cells of a column that are not written yet.
struct Held {
    values: Values,
    /// Parquet's definition levels: 1 for each row with a value, 0 for each without.
    levels: Vec<i16>,
}

enum Values {
    /// Bit for bit: the column's type says that there is no sign.
    Int(Vec<i64>),
    Real(Vec<f64>),
    Text(Vec<ByteArray>),
}

impl Values {
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Int => Self::Int(Vec::new()),
            Kind::Real => Self::Real(Vec::new()),
            Kind::Text => Self::Text(Vec::new()),
        }
    }
}

impl Held {
    fn push(&mut self, cell: Option<Figure>) {
        self.levels.push(i16::from(cell.is_some()));
        match (&mut self.values, cell) {
            (_, None) => {}
            (Values::Int(values), Some(Figure::Int(value))) => values.push(value.cast_signed()),
            (Values::Real(values), Some(Figure::Real(value))) => values.push(value),
            (Values::Text(values), Some(Figure::Text(text))) => {
                values.push(ByteArray::from(text.into_bytes()));
            }
            (_, Some(figure)) => unreachable!("a column's kind is that of its values: {figure:?}"),
        }
    }

    fn write(self, mut writer: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = Some(&*self.levels);
        match &self.values {
            Values::Int(values) => writer.typed::<Int64Type>().write_batch(values, levels, None),
            Values::Real(values) => writer.typed::<DoubleType>().write_batch(values, levels, None),
            Values::Text(values) => {
                writer.typed::<ByteArrayType>().write_batch(values, levels, None)
            }
        }?;
        writer.close()
    }
}
