//! Bodies of requests: one JSON value, an array of them, or one on each line.

use std::io::Read;

use bytes::Bytes;
use serde_json::Value;

/// The body as it was before it was compressed. An unknown or broken encoding leaves it as it came.
pub(super) fn decompress(wire: &Bytes, encoding: Option<&str>) -> Bytes {
    if encoding != Some("gzip") {
        return wire.clone();
    }
    let mut plain = Vec::new();
    match flate2::read::GzDecoder::new(&wire[..]).read_to_end(&mut plain) {
        Ok(_) => Bytes::from(plain),
        Err(_) => wire.clone(),
    }
}

/// The payloads of a body.
pub(super) fn payloads(body: &[u8]) -> Result<Vec<Value>, String> {
    let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(body).into_iter().collect();
    let mut values = values.map_err(|error| format!("the body is not JSON: {error}"))?;
    match values.as_mut_slice() {
        [Value::Array(members)] => Ok(std::mem::take(members)),
        _ => Ok(values),
    }
}

/// Counts payloads without parsing them, from a body that comes in parts.
#[derive(Default)]
pub(super) struct Counter {
    array: bool,
    started: bool,
    in_text: bool,
    escaped: bool,
    depth: usize,
    /// Something of the current payload has been seen.
    open: bool,
    ended: u64,
}

impl Counter {
    pub(super) fn push(&mut self, part: &[u8]) {
        if !self.started
            && let Some(first) = part.iter().find(|byte| !byte.is_ascii_whitespace())
        {
            (self.started, self.array) = (true, *first == b'[');
        }
        if self.array {
            for &byte in part {
                self.member(byte);
            }
        } else {
            for line in part.split_inclusive(|&byte| byte == b'\n') {
                self.open |= line.iter().any(|byte| !byte.is_ascii_whitespace());
                if line.ends_with(b"\n") {
                    self.ended += u64::from(std::mem::take(&mut self.open));
                }
            }
        }
    }

    fn member(&mut self, byte: u8) {
        match (self.in_text, byte) {
            (true, _) if self.escaped => self.escaped = false,
            (true, b'\\') => self.escaped = true,
            (true, b'"') => self.in_text = false,
            (true, _) => {}
            (false, b'"') => (self.in_text, self.open) = (true, true),
            (false, b'{' | b'[') => {
                self.open |= self.depth > 0;
                self.depth += 1;
            }
            (false, b'}' | b']') => self.depth = self.depth.saturating_sub(1),
            (false, b',') if self.depth == 1 => {
                self.ended += 1;
                self.open = false;
            }
            (false, byte) => self.open |= !byte.is_ascii_whitespace(),
        }
    }

    /// Payloads so far, an unfinished last one included.
    pub(super) fn records(&self) -> u64 {
        self.ended + u64::from(self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_counted_as_they_are_parsed() {
        let bodies = [
            "",
            "[]",
            " [ ] ",
            "{}",
            "{}\n",
            "{\"a\":\"x\"}\n\n{}\n{}",
            "[{}]",
            "[1, \"a,b\", [1,2], {\"x\":[{},{}],\"y\":\"\\\"],\"}]",
            "[\"\\\\\",\"]\"]",
        ];
        for body in bodies {
            let expected = payloads(body.as_bytes()).unwrap().len() as u64;
            for size in 1..=body.len().max(1) {
                let mut counter = Counter::default();
                body.as_bytes().chunks(size).for_each(|part| counter.push(part));
                assert_eq!(counter.records(), expected, "{body:?} in parts of {size}");
            }
        }
    }
}
