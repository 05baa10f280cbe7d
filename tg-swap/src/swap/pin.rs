//! The cut-over: the project's files name the release that serves.

use serde_json::json;
use tg_core::release::{self, Pin};

use crate::error::SwapError;
use crate::swap::{Phase, Release, Swap};

impl Swap<'_> {
    /// Writes the goal where the project has its release. From here on `docker compose up -d` means
    /// the goal, so it comes when the goal serves and before the others go.
    pub(super) fn cut_over(&mut self) -> Result<(), SwapError> {
        let wanted = self.tags(self.goal());
        let edits = self.edits(&wanted)?;
        if !edits.is_empty() {
            let files: Vec<_> = edits.iter().map(|e| e.path.display().to_string()).collect();
            let msg = format!("write {} in {}", self.goal().version, files.join(", "));
            self.step("pin", &msg, json!({"files": files}), || {
                for edit in &edits {
                    edit.apply()?;
                }
                self.patiently(|| self.written(&wanted))?;
                Ok(((), json!({"files": files})))
            })?;
        }
        if self.intent.phase == Phase::Forward { self.enter(Phase::CutOver) } else { Ok(()) }
    }

    /// Whether the files name the release to which the swap goes.
    pub(super) fn pinned_to(&self) -> bool {
        let wanted = self.tags(&self.intent.to);
        self.edits(&wanted).is_ok_and(|edits| edits.is_empty())
    }

    fn edits(&self, wanted: &[(&Pin, String)]) -> Result<Vec<release::Edit>, SwapError> {
        Ok(release::edits(&self.plan.project, wanted)?)
    }

    fn tags(&self, release: &Release) -> Vec<(&Pin, String)> {
        let of = |pin: &Pin| release.services.get(&pin.service).map(|side| side.tag.clone());
        self.plan.pins.iter().filter_map(|pin| Some((pin, of(pin)?))).collect()
    }

    /// Asks Compose whether it sees what was meant.
    fn written(&self, wanted: &[(&Pin, String)]) -> Result<(), SwapError> {
        let runner = self.session.runner().until(self.deadline);
        let model = self.plan.project.compose.config(runner, &[])?;
        for (pin, tag) in wanted {
            let found = model["services"][&pin.service]["image"].as_str().unwrap_or_default();
            if found != pin.at(tag) {
                let (service, wanted, found) = (pin.service.clone(), pin.at(tag), found.to_owned());
                return Err(SwapError::EditWithoutEffect { service, wanted, found });
            }
        }
        Ok(())
    }
}
