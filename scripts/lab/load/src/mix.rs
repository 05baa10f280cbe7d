//! The kinds of requests and how they are mixed.

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A quick read.
    Get,
    /// A read that takes `--slow-ms`.
    Slow,
    /// A write of a feature.
    Post,
    /// A job for the worker.
    Job,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Get, Self::Slow, Self::Post, Self::Job];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Slow => "slow",
            Self::Post => "post",
            Self::Job => "job",
        }
    }

    /// The status that means success.
    pub(crate) fn expected_status(self) -> u16 {
        match self {
            Self::Get | Self::Slow => 200,
            Self::Post | Self::Job => 201,
        }
    }
}

/// A weight for each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mix {
    weights: [u32; Kind::ALL.len()],
}

impl Mix {
    /// Reads `get=70,slow=5`; kinds that are not named don't occur.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut weights = [None; Kind::ALL.len()];
        for part in text.split(',') {
            let (name, weight) =
                part.split_once('=').ok_or_else(|| format!("'{part}' is not KIND=WEIGHT"))?;
            let index = Kind::ALL
                .iter()
                .position(|kind| kind.name() == name)
                .ok_or_else(|| format!("unknown kind '{name}'; there are get, slow, post, job"))?;
            let weight: u16 = weight.parse().map_err(|_| format!("'{weight}' is not a weight"))?;
            if weights[index].replace(u32::from(weight)).is_some() {
                return Err(format!("'{name}' is there twice"));
            }
        }
        let weights = weights.map(Option::unwrap_or_default);
        if weights.iter().sum::<u32>() == 0 {
            return Err("all weights are zero".to_owned());
        }
        Ok(Self { weights })
    }

    /// The kind for a number that is evenly distributed over `u32`.
    pub(crate) fn choose(&self, number: u32) -> Kind {
        let mut rest = number % self.weights.iter().sum::<u32>();
        for (kind, weight) in Kind::ALL.into_iter().zip(self.weights) {
            if rest < weight {
                return kind;
            }
            rest -= weight;
        }
        Kind::Get
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_occurs_as_often_as_its_weight_says() {
        let mix = Mix::parse("get=7,slow=1,post=2").expect("valid");
        let count = |kind| (0..100).filter(|number| mix.choose(*number) == kind).count();
        assert_eq!(Kind::ALL.map(count), [70, 10, 20, 0]);
    }

    #[test]
    fn what_is_not_a_mix_is_refused() {
        for text in ["", "get", "get=", "get=-1", "get=x", "get=0", "put=1", "get=1,get=2", "get=1,"] {
            assert!(Mix::parse(text).is_err(), "{text}");
        }
    }
}
