//! Records of files: plain text is one record, JSON lines and Parquet are many.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;
use serde_json::Value;

/// More than this in one text or line is not read: it would be held in memory as a whole.
const LONGEST: u64 = 1 << 30;
/// So many bytes are looked at to tell text from other files.
const PROBE: usize = 8192;

/// Which fields of a record are read.
pub(super) struct Fields {
    pub(super) id: String,
    pub(super) texts: Vec<String>,
    /// Standard input is JSON lines.
    pub(super) jsonl: bool,
}

/// One text to be scanned.
pub(super) struct Record<'a> {
    /// The file, `-` for standard input.
    pub(super) file: &'a str,
    /// The record's own name.
    pub(super) id: Value,
    /// Line in a file of JSON lines, from 1.
    pub(super) line: Option<u64>,
    pub(super) text: &'a str,
}

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum File {
    Stdin,
    Path(PathBuf),
}

impl File {
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Stdin => 0,
            Self::Path(path) => std::fs::metadata(path).map_or(0, |data| data.len()),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Stdin => "-".to_string(),
            Self::Path(path) => path.display().to_string(),
        }
    }
}

/// All files below what was named, sorted; hidden ones inside folders are left out, links are not followed.
pub(super) fn files(inputs: &[PathBuf]) -> anyhow::Result<Vec<File>> {
    let mut found = Vec::new();
    for input in inputs {
        if input == Path::new("-") {
            found.push(File::Stdin);
        } else if input.is_dir() {
            walk(input, &mut found)?;
        } else {
            // Looked at now, so that a misspelt name is told before an hour of scanning.
            std::fs::metadata(input).with_context(|| format!("{} cannot be read", input.display()))?;
            found.push(File::Path(input.clone()));
        }
    }
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<File>) -> anyhow::Result<()> {
    let unreadable = || format!("{} cannot be read", folder.display());
    let entries: Result<Vec<_>, _> = std::fs::read_dir(folder).with_context(unreadable)?.collect();
    let mut entries = entries.with_context(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().with_context(|| format!("{} cannot be read", entry.path().display()))?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push(File::Path(entry.path()));
        }
    }
    Ok(())
}

/// Calls `visit` with every record of a file.
pub(super) fn read(
    file: &File,
    fields: &Fields,
    visit: &mut dyn FnMut(Record<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let name = file.name();
    let result = match file {
        File::Stdin if fields.jsonl => json_lines(&name, BufReader::new(std::io::stdin().lock()), fields, visit),
        File::Stdin => text(&name, std::io::stdin().lock(), visit),
        File::Path(path) => {
            let open = std::fs::File::open(path).with_context(|| format!("{name} cannot be read"))?;
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("jsonl" | "ndjson") => json_lines(&name, BufReader::new(open), fields, visit),
                Some("parquet") => parquet(&name, open, fields, visit),
                _ => text(&name, open, visit),
            }
        }
    };
    result.with_context(|| name.clone())
}

/// The whole file is one record. Files that are no text are left out with a word on standard error.
fn text(
    name: &str,
    mut from: impl Read,
    visit: &mut dyn FnMut(Record<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    from.by_ref().take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        bail!("a text of more than 1 GiB: split it, or give it as JSON lines");
    }
    if bytes[..bytes.len().min(PROBE)].contains(&0) {
        eprintln!("homeostat: {name} is not text and was not scanned");
        return Ok(());
    }
    // Each broken byte becomes one replacement character, so that positions stay near the truth.
    let text = String::from_utf8_lossy(&bytes);
    visit(Record { file: name, id: Value::from(name), line: None, text: &text })
}

fn json_lines(
    name: &str,
    mut from: impl BufRead,
    fields: &Fields,
    visit: &mut dyn FnMut(Record<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if from.by_ref().take(LONGEST + 1).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() as u64 > LONGEST {
            bail!("line {number} has more than 1 GiB: split the record");
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let value: Value =
            serde_json::from_slice(&line).with_context(|| format!("line {number} is not a JSON object"))?;
        let id = value.get(&fields.id).filter(|id| !id.is_null()).cloned().unwrap_or_else(|| Value::from(number));
        let texts: Vec<&str> = fields.texts.iter().filter_map(|field| value.get(field)?.as_str()).collect();
        let missing = || fields.texts.iter().any(|field| value.get(field).is_some_and(Value::is_null));
        if texts.is_empty() && !missing() {
            let wanted = fields.texts.join(", ");
            bail!(
                "line {number} has no field {wanted} that is a string: name the field that holds the text with --text-field"
            );
        }
        for text in texts {
            visit(Record { file: name, id: id.clone(), line: Some(number), text })?;
        }
    }
    Ok(())
}

fn parquet(
    name: &str,
    from: std::fs::File,
    fields: &Fields,
    visit: &mut dyn FnMut(Record<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let reader = SerializedFileReader::new(from).context("it is not a Parquet file")?;
    let schema = reader.metadata().file_metadata().schema();
    let wanted = |field: &str| field == fields.id || fields.texts.iter().any(|text| text == field);
    let columns: Vec<_> = schema.get_fields().iter().filter(|column| wanted(column.name())).cloned().collect();
    if !columns.iter().any(|column| fields.texts.iter().any(|text| text == column.name())) {
        let there: Vec<&str> = schema.get_fields().iter().map(|column| column.name()).collect();
        bail!("it has no column {}: it has {}; name one with --text-field", fields.texts.join(", "), there.join(", "));
    }
    // Only these columns are decoded.
    let projection = Type::group_type_builder(schema.name()).with_fields(columns).build()?;
    for (number, row) in (1_u64..).zip(reader.get_row_iter(Some(projection))?) {
        let row = row.with_context(|| format!("row {number} cannot be decoded"))?;
        let column = |wanted: &str| row.get_column_iter().find(|(name, _)| *name == wanted).map(|(_, field)| field);
        let id = column(&fields.id).map(Field::to_json_value).filter(|id| !id.is_null());
        let id = id.unwrap_or_else(|| Value::from(number));
        for field in fields.texts.iter().filter_map(|text| column(text)) {
            match field {
                Field::Str(text) => visit(Record { file: name, id: id.clone(), line: None, text })?,
                Field::Null => {}
                other => {
                    bail!("row {number}: the text is {other}, not a string: name a column of strings with --text-field")
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    fn fields() -> Fields {
        Fields { id: "id".into(), texts: vec!["text".into()], jsonl: false }
    }

    /// (id, text) of every record below a folder, and what went wrong.
    fn seen(folder: &Path) -> (Vec<(Value, String)>, Option<String>) {
        let mut seen = Vec::new();
        let mut problem = None;
        for file in files(&[folder.to_path_buf()]).unwrap() {
            let result = read(&file, &fields(), &mut |record| {
                seen.push((record.id, record.text.to_string()));
                Ok(())
            });
            problem = problem.or(result.err().map(|error| format!("{error:#}")));
        }
        (seen, problem)
    }

    #[test]
    fn folders_hold_texts_and_records() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        std::fs::write(at("a.jsonl"), "{\"id\": \"x\", \"text\": \"one\"}\n\n{\"text\": null}\n{\"text\": \"two\"}\n")
            .unwrap();
        std::fs::write(at("sub/b.md"), "three").unwrap();
        std::fs::write(at("c.bin"), b"\0\x01").unwrap();
        std::fs::write(at(".hidden"), "four").unwrap();
        let b = at("sub/b.md").display().to_string();
        let expected =
            [("x".into(), "one".to_string()), (4.into(), "two".to_string()), (b.into(), "three".to_string())];
        assert_eq!(seen(folder.path()), (expected.to_vec(), None));
        std::fs::write(at("d.jsonl"), "{\"body\": \"x\"}\n").unwrap();
        let (_, problem) = seen(folder.path());
        assert!(problem.is_some_and(|text| text.contains("line 1") && text.contains("--text-field")));
    }

    #[test]
    fn parquet_is_read_by_column_and_a_null_is_no_text() {
        let folder = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(folder.path().join("a.parquet")).unwrap();
        let schema = parse_message_type("message m { required int64 id; optional binary text (UTF8); }").unwrap();
        let mut writer = SerializedFileWriter::new(file, schema.into(), Default::default()).unwrap();
        let mut rows = writer.next_row_group().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[7, 8], None, None).unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&[ByteArray::from("one")], Some(&[1, 0]), None).unwrap();
        column.close().unwrap();
        rows.close().unwrap();
        writer.close().unwrap();
        assert_eq!(seen(folder.path()), (vec![(7.into(), "one".to_string())], None));
        std::fs::write(folder.path().join("b.parquet"), "no").unwrap();
        assert!(seen(folder.path()).1.is_some_and(|problem| problem.contains("Parquet")));
    }
}
