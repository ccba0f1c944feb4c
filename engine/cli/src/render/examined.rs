//! What an examination of the state found.

use outflow_ledger::integrity::{Examined, Severity};

use super::{Console, Tone, bytes, counted, plain};

/// Prints it: what is worst first.
pub(crate) fn print(console: &Console, state: &str, examined: &Examined, sound: bool) {
    for finding in &examined.findings {
        let (tone, word) = match finding.severity {
            Severity::Error => (Tone::Bad, "error"),
            Severity::Warning => (Tone::Warn, "warning"),
            Severity::Note => (Tone::Faint, "note"),
        };
        console.line(&format!("{} {}", console.paint(tone, &format!("{word}:")), plain(&finding.path)));
        console.say(&format!("  {}", plain(&finding.message)));
        console.say(&format!("  → {}", plain(&finding.remedy)));
    }
    let looked = format!("{} of {} in {}", counted(examined.objects, "file"), bytes(examined.bytes), plain(state));
    let errors = examined.findings.iter().filter(|finding| finding.severity == Severity::Error).count() as u64;
    if sound {
        console.say(&format!("{} {looked}.", console.paint(Tone::Good, "Sound:")));
    } else {
        console.say(&format!("{} in {looked}.", console.paint(Tone::Bad, &counted(errors, "error"))));
    }
}
