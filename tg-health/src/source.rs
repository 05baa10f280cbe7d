//! Where the targets come from.

use crate::error::Error;
use crate::target::Target;

/// Says before each round what is asked in it.
pub(crate) trait Source {
    /// The targets of now; fails when there is no use in asking any longer.
    fn targets(&mut self) -> Result<Vec<Target>, Error>;
}

/// Always the same targets.
pub(crate) struct Given(pub(crate) Vec<Target>);

impl Source for Given {
    fn targets(&mut self) -> Result<Vec<Target>, Error> {
        Ok(self.0.clone())
    }
}
