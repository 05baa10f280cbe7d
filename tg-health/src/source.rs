//! Where the targets come from.

use crate::error::Error;
use crate::target::Target;

/// Says before each round what is asked in it.
pub(crate) trait Source {
    /// The targets of now; fails when there is no use in asking any longer.
    fn targets(&mut self) -> Result<Vec<Target>, Error>;

    /// Whether it may say something else next time.
    fn changes(&self) -> bool {
        true
    }
}

/// Always the same targets.
pub(crate) struct Fixed(pub(crate) Vec<Target>);

impl Source for Fixed {
    fn targets(&mut self) -> Result<Vec<Target>, Error> {
        Ok(self.0.clone())
    }

    fn changes(&self) -> bool {
        false
    }
}

/// Several together.
pub(crate) struct All(pub(crate) Vec<Box<dyn Source>>);

impl Source for All {
    fn targets(&mut self) -> Result<Vec<Target>, Error> {
        let mut all = Vec::new();
        for source in &mut self.0 {
            all.extend(source.targets()?);
        }
        Ok(all)
    }

    fn changes(&self) -> bool {
        self.0.iter().any(|source| source.changes())
    }
}
