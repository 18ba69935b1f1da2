//! How far the device's clock is from the controller's: the one other clock that an agent always hears of.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::model::{Known, Survey};
use crate::port::Clock;

/// The difference, as the last answer of the controller told it.
///
/// The header isn't signed. Whoever forges it on the way can hold a device back before it begins, as they can by dropping
/// its calls; nothing is let through by it that the controller's own rules don't let through.
pub struct Skew {
    clock: Arc<dyn Clock>,
    secs: Mutex<Option<i64>>,
}

impl Skew {
    /// Returns one that has heard nothing yet.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, secs: Mutex::new(None) })
    }
    /// Takes up what an answer says of the controller's time. What isn't a time says nothing.
    pub fn hear(&self, time: Option<&str>) {
        let Some(theirs) = time.and_then(|time| time.parse::<Timestamp>().ok()) else { return };
        let secs = self.clock.now().duration_since(theirs).as_secs();
        *self.secs.lock().unwrap_or_else(PoisonError::into_inner) = Some(secs);
    }
    /// Puts the difference into a survey that has none: a device can't measure it by itself.
    pub fn fill(&self, survey: &mut Survey) {
        if survey.clock_skew_secs.known().is_some() {
            return;
        }
        survey.clock_skew_secs = match *self.secs.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(secs) => Known::Known(secs),
            None => Known::Unknown("the controller wasn't heard since the agent started".to_owned()),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lab::device::StepClock;

    /// Catches a difference with the wrong sign, one that a page of a proxy makes up, and one that replaces what was
    /// measured.
    #[tokio::test]
    async fn the_last_answer_counts() {
        let start: Timestamp = "2026-12-02T18:30:00Z".parse().expect("a time");
        let clock = Arc::new(StepClock::new(start));
        let skew = Skew::new(clock.clone());
        let filled = |was| {
            let mut survey = Survey { clock_skew_secs: was, ..Survey::sound(start) };
            skew.fill(&mut survey);
            survey.clock_skew_secs
        };
        let unknown = || Known::Unknown("not measured".to_owned());
        assert!(filled(unknown()).unknown().is_some_and(|why| why.contains("controller")));
        skew.hear(Some("2026-12-02T18:20:00Z"));
        assert_eq!(filled(unknown()), Known::Known(600), "ahead is positive");
        skew.hear(Some("Wed, 02 Dec 2026"));
        skew.hear(None);
        assert_eq!(filled(unknown()), Known::Known(600));
        clock.sleep(Duration::from_secs(60)).await;
        skew.hear(Some("2026-12-02T18:41:00Z"));
        assert_eq!(filled(unknown()), Known::Known(-600));
        assert_eq!(filled(Known::Known(3)), Known::Known(3));
    }
}
