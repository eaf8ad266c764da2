//! What was promised, and whether it was kept.

use std::fmt;

#[derive(Debug, Default)]
pub(crate) struct Claims(Vec<Claim>);

#[derive(Debug)]
struct Claim {
    kept: bool,
    promise: &'static str,
    figures: String,
}

impl Claims {
    /// Notes whether a promise was kept, and by what figures that is seen.
    pub(crate) fn note(&mut self, promise: &'static str, kept: bool, figures: impl Into<String>) {
        self.0.push(Claim { kept, promise, figures: figures.into() });
    }

    pub(crate) fn all_kept(&self) -> bool {
        self.0.iter().all(|claim| claim.kept)
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| promise | kept | figures |\n|---|---|---|")?;
        for Claim { kept, promise, figures } in &self.0 {
            let kept = if *kept { "yes" } else { "**NO**" };
            writeln!(f, "| {promise} | {kept} | {figures} |")?;
        }
        Ok(())
    }
}

/// Bytes as people read them.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
