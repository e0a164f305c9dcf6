//! Which step of the loop is switched off: none, in every build that is shipped.

use rectifier_core::switches::Switches;

/// All steps are carried out.
#[cfg(not(feature = "test-switches"))]
pub(crate) fn from_environment() -> anyhow::Result<Switches> {
    Ok(Switches::default())
}

/// `RECTIFIER_WITHOUT=STEP`, in test builds only.
#[cfg(feature = "test-switches")]
pub(crate) fn from_environment() -> anyhow::Result<Switches> {
    use rectifier_core::switches::Step;
    let Some(label) = std::env::var("RECTIFIER_WITHOUT")
        .ok()
        .filter(|label| !label.is_empty())
    else {
        return Ok(Switches::default());
    };
    let step = Step::from_label(&label).ok_or_else(|| {
        let known: Vec<&str> = Step::ALL.iter().map(|step| step.label()).collect();
        anyhow::anyhow!("RECTIFIER_WITHOUT={label} is no step: {}", known.join(", "))
    })?;
    tracing::warn!(step = step.label(), "a step is switched off");
    Ok(Switches::without(step))
}
