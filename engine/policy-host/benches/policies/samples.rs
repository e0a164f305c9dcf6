//! Times of one thing, measured many times.

use std::time::Duration;

/// In the order in which they were taken.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64() * 1e6);
    }

    /// Microseconds.
    pub(crate) fn median(&self) -> f64 {
        at(&self.0, 50)
    }

    /// `p50/p99` in microseconds.
    pub(crate) fn shown(&self) -> String {
        format!("{:.0}/{:.0}", at(&self.0, 50), at(&self.0, 99))
    }

    /// The same in milliseconds.
    pub(crate) fn shown_in_milliseconds(&self) -> String {
        format!("{:.1}/{:.1}", at(&self.0, 50) / 1e3, at(&self.0, 99) / 1e3)
    }

    /// The smallest and the largest ratio of medians over ten stretches of the run: how far the ratio can be trusted.
    pub(crate) fn ratios_of_tenths(&self, other: &Samples) -> (f64, f64) {
        let stretch = (self.0.len() / 10).max(1);
        let ratios = self.0.chunks(stretch).zip(other.0.chunks(stretch));
        ratios
            .map(|(own, other)| at(own, 50) / at(other, 50))
            .fold((f64::MAX, 0.0), |(least, most), ratio| {
                (least.min(ratio), most.max(ratio))
            })
    }
}

fn at(samples: &[f64], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}
