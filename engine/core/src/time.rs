//! Moments as text and as numbers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// RFC 3339 in UTC, to the millisecond: `2026-03-01T12:30:00.250Z`.
pub fn rfc3339(at: SystemTime) -> String {
    timestamp(at).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The same of milliseconds since 1970.
pub fn rfc3339_of_ms(ms: u64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_millis(ms))
}

/// Milliseconds since 1970.
pub fn unix_ms(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// The moment of an RFC 3339 text; `None` of any other.
pub(crate) fn parsed(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Milliseconds since 1970 of an RFC 3339 text; `None` of any other, and of a moment before.
pub fn parsed_ms(text: &str) -> Option<u64> {
    let at = parsed(text)?;
    u64::try_from(at.as_millisecond()).ok()
}

/// The id of a sync that starts at `at`: day, time with milliseconds, and four digits of `random`. It sorts by time.
pub fn sync_id(at: SystemTime, random: u64) -> String {
    format!("{}{:04x}", timestamp(at).strftime("%Y%m%d-%H%M%S-%3f"), random & 0xffff)
}

/// The same moment.
pub(crate) fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        assert_eq!(rfc3339(at), "2023-11-14T22:13:20.250Z");
        assert_eq!(sync_id(at, 0xffff_ffff_ffff_abcd), "20231114-221320-250abcd");
        assert_eq!(unix_ms(at), 1_700_000_000_250);
        assert_eq!(parsed_ms(&rfc3339(at)), Some(1_700_000_000_250));
        assert_eq!(parsed_ms("yesterday"), None);
        assert_eq!(rfc3339_of_ms(unix_ms(at)), rfc3339(at));
    }
}
