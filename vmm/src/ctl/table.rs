//! Answers as text: a list is a table with a line for each element, an object a line for each field.

use serde_json::Value;

/// The answer for a person.
pub fn render(answer: &Value) -> String {
    match answer {
        Value::Array(rows) if rows.is_empty() => "none\n".to_owned(),
        Value::Array(rows) => table(rows),
        other => lines(&flatten(other)),
    }
}

/// The plain values in `value` with their paths: `a.b.c`.
fn flatten(value: &Value) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    collect("", value, &mut fields);
    fields
}

fn collect(path: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(name, value)| collect(&below(name), value, fields)),
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(at, value)| collect(&below(&at.to_string()), value, fields));
        }
        Value::String(text) => fields.push((path.to_owned(), text.clone())),
        Value::Null => fields.push((path.to_owned(), "-".to_owned())),
        other => fields.push((path.to_owned(), other.to_string())),
    }
}

fn lines(fields: &[(String, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    fields
        .iter()
        .map(|(name, value)| format!("{name:width$}  {value}\n"))
        .collect()
}

/// Columns are all fields of all rows, in the order in which they first appear.
fn table(rows: &[Value]) -> String {
    let rows: Vec<_> = rows.iter().map(flatten).collect();
    let mut columns: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flatten() {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    let head: Vec<_> = columns.iter().map(|name| (*name).to_owned()).collect();
    let cell = |row: &[(String, String)], column: &str| {
        row.iter()
            .find(|(name, _)| name == column)
            .map_or_else(|| "-".to_owned(), |(_, value)| value.clone())
    };
    let body = rows
        .iter()
        .map(|row| columns.iter().map(|column| cell(row, column)).collect());
    align(
        &std::iter::once(head)
            .chain(body)
            .collect::<Vec<Vec<String>>>(),
    )
}

/// A column: its head, and what a row has in it.
pub(super) type Column = (&'static str, fn(&Value) -> String);

/// A table with these columns.
pub(super) fn of_columns(rows: &[&Value], columns: &[Column]) -> String {
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    let head = columns.iter().map(|it| it.0.to_owned()).collect();
    let cells = |row: &&Value| columns.iter().map(|it| it.1(row)).collect();
    let lines: Vec<_> = std::iter::once(head)
        .chain(rows.iter().map(cells))
        .collect();
    align(&lines)
}

/// A value as a cell.
pub(super) fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "-".to_owned(),
    }
}

/// A field of a row as a cell.
pub(super) fn plain(row: &Value, field: &str) -> String {
    text(row.get(field))
}

/// Rows of cells, the first one the head, with equal widths in each column.
pub(super) fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(String::len)
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
#[path = "table_test.rs"]
mod tests;
