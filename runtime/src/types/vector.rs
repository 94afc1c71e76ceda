use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// `N` finite 32-bit floats. Cheap to clone: the numbers are shared.
///
/// ```
/// use heavenbase::types::Vector;
/// let v = Vector::from([1.0, 0.0, 0.0]);
/// assert_eq!(v.len(), 3);
/// assert!(Vector::<2>::try_from(vec![1.0, 2.0, 3.0]).is_err());
/// ```
#[derive(Clone, PartialEq)]
pub struct Vector<const N: usize>(Arc<[f32; N]>);

impl<const N: usize> Vector<N> {
    pub(crate) fn shared(&self) -> Arc<[f32]> {
        self.0.clone()
    }

    pub(crate) fn from_shared(numbers: Arc<[f32]>) -> Result<Self, usize> {
        let len = numbers.len();
        Arc::<[f32; N]>::try_from(numbers).map(Vector).map_err(|_| len)
    }
}

impl<const N: usize> Deref for Vector<N> {
    type Target = [f32; N];
    fn deref(&self) -> &[f32; N] {
        &self.0
    }
}

impl<const N: usize> From<[f32; N]> for Vector<N> {
    fn from(numbers: [f32; N]) -> Self {
        Vector(Arc::new(numbers))
    }
}

impl<const N: usize> TryFrom<&[f32]> for Vector<N> {
    type Error = Error;
    fn try_from(numbers: &[f32]) -> Result<Self> {
        Self::from_shared(numbers.into()).map_err(wrong_length::<N>)
    }
}

impl<const N: usize> TryFrom<Vec<f32>> for Vector<N> {
    type Error = Error;
    fn try_from(numbers: Vec<f32>) -> Result<Self> {
        Self::from_shared(numbers.into()).map_err(wrong_length::<N>)
    }
}

fn wrong_length<const N: usize>(found: usize) -> Error {
    Error::new(ErrorKind::InvalidValue, format!("a vector of {found} numbers where the field has {N}"))
}

impl<const N: usize> fmt::Debug for Vector<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if N <= 8 { f.debug_tuple("Vector").field(&self.0).finish() } else { write!(f, "Vector({N} numbers)") }
    }
}

impl<const N: usize> Serialize for Vector<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Vector<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Vec::<f32>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// How near two vectors are. A score is higher-better and means the same on every backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The cosine of the angle, -1 to 1. A zero vector is refused.
    #[default]
    Cosine,
    /// The negative Euclidean distance.
    L2,
    /// The dot product.
    Dot,
}

impl Metric {
    /// The name used in attributes: `cosine`, `l2`, `dot`.
    pub const fn name(self) -> &'static str {
        match self {
            Metric::Cosine => "cosine",
            Metric::L2 => "l2",
            Metric::Dot => "dot",
        }
    }

    /// The score of `b` seen from `a`: plain arithmetic in `f64`, the yardstick for every faster form.
    ///
    /// Slices of different length are compared over the shorter one; callers check lengths before.
    pub fn score(self, a: &[f32], b: &[f32]) -> f64 {
        let pairs = || a.iter().zip(b).map(|(x, y)| (f64::from(*x), f64::from(*y)));
        let dot = || pairs().map(|(x, y)| x * y).sum::<f64>();
        match self {
            Metric::Dot => dot(),
            Metric::L2 => -pairs().map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt(),
            Metric::Cosine => {
                let norms = pairs().fold((0.0, 0.0), |(p, q), (x, y)| (p + x * x, q + y * y));
                let product = (norms.0 * norms.1).sqrt();
                if product == 0.0 { 0.0 } else { dot() / product }
            }
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
