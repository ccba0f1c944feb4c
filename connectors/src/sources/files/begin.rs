//! What the first bytes of a file of lines tell: that it is no UTF-8 text at all, and what stands between the values of CSV.

use std::path::Path;

use outflow_contract::{Error, Result};

use super::scan::bad_data;

/// What an editor may put before UTF-8 text.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// So much is looked at for zeros, which no text has.
const LOOKED_AT: usize = 1024;

const UTF_16: &str = "save it as UTF-8: `iconv -f UTF-16 -t UTF-8 FILE`, or CSV UTF-8 in Excel";
const WORKBOOK: &str = "export the sheet as CSV: Save As, CSV UTF-8 in Excel";
const UNPACK: &str = "unpack it, and let the path name what is inside";

/// First bytes of what is no UTF-8 text, what that is, and what to do about it.
const OTHERS: [(&[u8], &str, &str); 8] = [
    (b"\xFF\xFE", "UTF-16 text, not UTF-8", UTF_16),
    (b"\xFE\xFF", "UTF-16 text, not UTF-8", UTF_16),
    (b"PK\x03\x04", "a workbook such as .xlsx, or another archive, and no text", WORKBOOK),
    (b"\xD0\xCF\x11\xE0", "a workbook of an old Excel, and no text", WORKBOOK),
    (b"\x1F\x8B", "compressed with gzip", UNPACK),
    (b"\x28\xB5\x2F\xFD", "compressed with zstd", UNPACK),
    (b"PAR1", "Parquet, and no text", "write `format: parquet` for the table"),
    (b"ARROW1", "Arrow IPC, and no text", "write `format: arrow` for the table"),
];

/// Refuses a file that begins as no UTF-8 text does.
pub(super) fn check(table: &str, path: &Path, start: &[u8]) -> Result<()> {
    let refused =
        |what: &str, remedy: &str| -> Result<(), Error> { Err(bad_data(table, path, &format!("the file is {what}")).remedy(remedy)) };
    if let Some((_, what, remedy)) = OTHERS.iter().find(|(magic, ..)| start.starts_with(magic)) {
        return refused(what, remedy);
    }
    if start.iter().take(LOOKED_AT).any(|&byte| byte == 0) {
        return refused("UTF-16 text, or no text at all", UTF_16);
    }
    Ok(())
}

/// What stands between the values of a CSV file: a comma if its header line has one; else a semicolon, as Excel writes in many countries,
/// or else a tab, if that is there. What stands between quotes does not count.
pub(super) fn delimiter(start: &[u8]) -> u8 {
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let (mut quoted, mut begun, mut found) = (false, false, b',');
    for &byte in text {
        match byte {
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'\n' | b'\r' if begun => break,
            b'\n' | b'\r' => continue,
            b',' => return b',',
            b';' => found = b';',
            b'\t' if found == b',' => found = b'\t',
            _ => {}
        }
        begun = true;
    }
    found
}

/// The delimiter, in a message.
pub(super) fn shown(delimiter: u8) -> String {
    match delimiter {
        b',' => "a comma".to_owned(),
        b';' => "a semicolon".to_owned(),
        b'\t' => "a tab".to_owned(),
        other => format!("`{}`", char::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_line_alone_tells_what_stands_between_values() {
        for (text, wanted) in [
            ("a,b;c\td\n", b','),
            ("a;b\n1,5;2,5\n", b';'),
            ("\u{feff}a;b\tc\r\n", b';'),
            ("a\tb\n1;2,3\n", b'\t'),
            ("\"a,b\";c\n", b';'),
            ("\"a;b\nc;d\"\n", b','),
            ("\r\n\na;b\n", b';'),
            ("a\n1;2\n", b','),
            ("", b','),
        ] {
            assert_eq!(char::from(delimiter(text.as_bytes())), char::from(wanted), "{text:?}");
        }
    }
}
