//! Durations as a sketch from which percentiles are read. Two sketches can be merged. The relative error of a percentile is
//! at most 1 %.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sketches_ddsketch::DDSketch;

/// The kind of operation whose durations are sketched together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LatencyClass {
    /// Uploads.
    Upload,
    /// Downloads.
    Download,
    /// Cuts and saved cuts.
    Process,
    /// Everything else.
    Other,
}

impl LatencyClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Upload, Self::Download, Self::Process, Self::Other];

    /// Returns the name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Process => "process",
            Self::Other => "other",
        }
    }

    /// Returns the class with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Returns the class of an action.
    pub fn of(action: &str) -> Self {
        match action {
            "upload" => Self::Upload,
            "download" => Self::Download,
            "process" | "save" => Self::Process,
            _ => Self::Other,
        }
    }
}

/// A sketch of durations. It has the default configuration of its crate (relative error 1 %, at most 2,048 bins), which is
/// also the configuration of a sketch that is read from bytes.
#[derive(Clone, Default)]
pub struct Latency(DDSketch);

impl std::fmt::Debug for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Latency").field("count", &self.0.count()).finish()
    }
}

impl Latency {
    /// Adds a duration in milliseconds.
    #[allow(clippy::cast_precision_loss)]
    pub fn add(&mut self, duration_ms: u64) {
        self.0.add(duration_ms as f64);
    }

    /// Adds all durations of another sketch.
    pub fn merge(&mut self, other: &Self) {
        // All sketches have the same configuration: `decode` refuses others.
        let _merged = self.0.merge(&other.0);
    }

    /// Returns the percentile `fraction` (0 to 1) in milliseconds; `None` if the sketch is empty.
    pub fn percentile(&self, fraction: f64) -> Option<f64> {
        self.0.quantile(fraction).ok().flatten()
    }

    /// Returns the sketch as text.
    pub fn encode(&self) -> String {
        STANDARD.encode(self.0.to_java_bytes())
    }

    /// Reads a sketch; `None` if the text is no sketch with this error.
    pub fn decode(text: &str) -> Option<Self> {
        let mut sketch = Self::default();
        let stored = DDSketch::from_java_bytes(&STANDARD.decode(text).ok()?).ok()?;
        sketch.0.merge(&stored).ok()?;
        Some(sketch)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn percentiles_of_merged_and_stored_sketches_are_exact_to_one_percent() {
        let durations: Vec<u64> = (1..=20_000_u64).map(|number| number * number % 90_001).collect();
        let mut parts = vec![Latency::default(); 7];
        for (place, duration) in durations.iter().enumerate() {
            parts[place % 7].add(*duration);
        }
        let mut merged = Latency::default();
        for part in &parts {
            merged.merge(&Latency::decode(&part.encode()).unwrap());
        }
        let mut sorted = durations.clone();
        sorted.sort_unstable();
        for fraction in [0.5, 0.95, 0.99] {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let exact = sorted[((sorted.len() - 1) as f64 * fraction) as usize] as f64;
            let estimate = merged.percentile(fraction).unwrap();
            assert!((estimate - exact).abs() <= exact * 0.011, "{fraction}: {estimate}, {exact}");
        }
    }

    #[test]
    fn an_empty_sketch_and_durations_of_zero_are_no_error() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile(0.5), None);
        latency.add(0);
        assert_eq!(Latency::decode(&latency.encode()).unwrap().percentile(0.5), Some(0.0));
        assert!(Latency::decode("no sketch").is_none());
        assert!(Latency::decode(&STANDARD.encode([0xff; 9])).is_none());
    }
}
