//! Lists leave as Excel workbooks and CSV; a cell that a spreadsheet would run as a formula is
//! written as text.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use rust_xlsxwriter::{Format, Workbook};
use serde_json::json;
use vocab::Fen;

use super::{App, Visit, WebError, percent};
use crate::store::{Command, Event, StoreError};

/// One cell of an exported list.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Text, also codes that look like numbers.
    Text(String),
    /// A count or a measured figure.
    Number(f64),
    /// Money, shown in yuan.
    Money(Fen),
    /// Nothing.
    Empty,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::Text(text)
    }
}

impl From<Fen> for Cell {
    fn from(fen: Fen) -> Self {
        Cell::Money(fen)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Cell::Number(number)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Empty, Into::into)
    }
}

/// A workbook that names people or parties: the log keeps who took which list, and how many rows,
/// before it leaves.
///
/// # Errors
/// As [`xlsx`], and where the log cannot be written.
pub async fn logged(
    app: &App,
    visit: &Visit,
    name: &str,
    headers: &[&str],
    rows: &[Vec<Cell>],
) -> Result<Response, WebError> {
    note(app, visit, name, rows.len()).await?;
    xlsx(name, headers, rows)
}

/// A CSV file that names people or parties, kept in the log like a workbook.
///
/// # Errors
/// Where the log cannot be written.
pub async fn logged_csv(
    app: &App,
    visit: &Visit,
    name: &str,
    headers: &[&str],
    rows: &[Vec<Cell>],
) -> Result<Response, WebError> {
    note(app, visit, name, rows.len()).await?;
    Ok(csv(name, headers, rows))
}

/// Keeps in the log who took which list, and how many rows.
///
/// # Errors
/// Where the log cannot be written.
pub async fn note(app: &App, visit: &Visit, name: &str, rows: usize) -> Result<(), WebError> {
    let (actor, detail) = (
        visit.actor()?.clone(),
        json!({ "list": name, "rows": rows }),
    );
    let command = Command::new("list.export", visit.now);
    let noted = app.store.write(command, move |tx| {
        tx.event(Event {
            actor: actor.to_ref(),
            command: "list.export",
            subject: ("account", actor.account_id().0),
            detail: detail.clone(),
            rows: Vec::new(),
        });
        Ok::<_, StoreError>(())
    });
    noted.await?;
    Ok(())
}

/// A workbook of one sheet with a header row.
///
/// # Errors
/// A fault where the workbook cannot be written (more than 1,048,576 rows).
pub fn xlsx(name: &str, headers: &[&str], rows: &[Vec<Cell>]) -> Result<Response, WebError> {
    let bytes = workbook(headers, rows).map_err(WebError::fault)?;
    let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    Ok(download(&format!("{name}.xlsx"), kind, bytes))
}

fn workbook(headers: &[&str], rows: &[Vec<Cell>]) -> Result<Vec<u8>, rust_xlsxwriter::XlsxError> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet_with_constant_memory()?;
    let bold = Format::new().set_bold();
    let money = Format::new().set_num_format("#,##0.00");
    for (column, header) in (0u16..).zip(headers) {
        sheet.set_column_width(column, 18)?;
        sheet.write_with_format(0, column, *header, &bold)?;
    }
    for (line, row) in (1u32..).zip(rows) {
        for (column, cell) in (0u16..).zip(row) {
            match cell {
                Cell::Text(text) => sheet.write_string(line, column, text)?,
                Cell::Number(number) => sheet.write_number(line, column, *number)?,
                // A spreadsheet holds doubles: exact to the fen up to 90 trillion yuan.
                Cell::Money(fen) => {
                    sheet.write_number_with_format(line, column, fen.0 as f64 / 100.0, &money)?
                }
                Cell::Empty => continue,
            };
        }
    }
    book.save_to_buffer()
}

/// A CSV file (RFC 4180, UTF-8 with a byte-order mark, which Excel needs to read Chinese).
pub fn csv(name: &str, headers: &[&str], rows: &[Vec<Cell>]) -> Response {
    let mut text = String::from('\u{feff}');
    csv_line(&mut text, headers.iter().map(|header| (*header).to_owned()));
    for row in rows {
        csv_line(&mut text, row.iter().map(csv_cell));
    }
    download(
        &format!("{name}.csv"),
        "text/csv; charset=utf-8",
        text.into_bytes(),
    )
}

fn csv_line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (column, cell) in cells.enumerate() {
        if column > 0 {
            text.push(',');
        }
        text.push_str(&quoted(cell));
    }
    text.push_str("\r\n");
}

/// A cell as CSV wants it.
fn quoted(cell: String) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

/// A text as a cell of CSV that no spreadsheet runs as a formula: CSV has no types, so an apostrophe
/// keeps it a text. Some read the full-width signs as the others.
pub fn csv_text(text: &str) -> String {
    quoted(harmless(text))
}

fn harmless(text: &str) -> String {
    let runs = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'];
    if text.starts_with(runs) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn csv_cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => harmless(text),
        Cell::Number(number) => number.to_string(),
        Cell::Money(fen) => fen.yuan_plain(),
        Cell::Empty => String::new(),
    }
}

/// Bytes as a file to keep, never to show.
pub fn download(file_name: &str, media_type: &str, bytes: Vec<u8>) -> Response {
    let disposition = format!(
        "attachment; filename*=UTF-8''{}",
        percent(file_name).replace('/', "_")
    );
    let headers = [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_DISPOSITION, disposition),
    ];
    (headers, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_csv_are_quoted_and_never_run() {
        let mut line = String::new();
        let cells: [Cell; 6] = [
            "王*明".into(),
            "=1+1".into(),
            "a,\"b\"\nc".into(),
            Fen(-1_430_050).into(),
            12.5.into(),
            Cell::Empty,
        ];
        csv_line(&mut line, cells.iter().map(csv_cell));
        assert_eq!(line, "王*明,'=1+1,\"a,\"\"b\"\"\nc\",-14300.50,12.5,\r\n");
    }
}
