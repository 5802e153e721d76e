//! A metric over time as read from the records, and its grouping into the policy's windows.

use homeostat_clock::UtcMillis;

/// One value of one version in one window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// Start of the window.
    pub(crate) start: UtcMillis,
    /// End of the window, exclusive.
    pub(crate) end: UtcMillis,
    /// The ModelVersion that answered.
    pub(crate) version: String,
    pub(crate) value: f64,
    /// 95 % interval.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Observations.
    pub(crate) n: u64,
}

/// What a mark on a chart stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkKind {
    /// A version became stable.
    Promotion,
    /// A version was taken back.
    Rollback,
    /// A retraining began.
    Retraining,
    /// An alert fired.
    Alert,
}

impl MarkKind {
    /// Class in the style sheet and in charts.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Promotion => "promotion",
            Self::Rollback => "rollback",
            Self::Retraining => "retraining",
            Self::Alert => "alert",
        }
    }
}

/// Something that happened, marked on a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) time: UtcMillis,
    pub(crate) kind: MarkKind,
    /// For instance "atlas-v2 promoted".
    pub(crate) label: String,
}

/// A metric over time with what it is measured against.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    /// By start, versions mixed.
    pub(crate) points: Vec<Point>,
    /// Where degraded begins.
    pub(crate) threshold: Option<f64>,
    /// What happened meanwhile.
    pub(crate) marks: Vec<Mark>,
    /// The stretch of time that is shown.
    pub(crate) from: UtcMillis,
    pub(crate) to: UtcMillis,
    /// Length of a window; a gap longer than two of them is drawn as one.
    pub(crate) step_ms: i64,
}

impl Series {
    /// End of the newest window.
    pub(crate) fn newest(&self) -> Option<UtcMillis> {
        self.points.iter().map(|point| point.end).max()
    }

    /// Points of one version, or of all, split where data is missing.
    pub(crate) fn stretches(&self, version: Option<&str>) -> Vec<Vec<&Point>> {
        let mut stretches: Vec<Vec<&Point>> = Vec::new();
        for point in self.points.iter().filter(|point| version.is_none_or(|version| point.version == version)) {
            match stretches.last_mut() {
                Some(stretch) if stretch.last().is_some_and(|last| point.start.0 - last.end.0 <= 2 * self.step_ms) => {
                    stretch.push(point)
                }
                _ => stretches.push(vec![point]),
            }
        }
        stretches
    }

    /// Names of the versions, in the order of their first appearance.
    pub(crate) fn versions(&self) -> Vec<&str> {
        let mut versions: Vec<&str> = Vec::new();
        for point in &self.points {
            if !versions.contains(&point.version.as_str()) {
                versions.push(&point.version);
            }
        }
        versions
    }
}
