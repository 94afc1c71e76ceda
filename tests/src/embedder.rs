//! An embedder that counts letters, remembers what it was asked, and fails when it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use heavenbase::embedding::{Embedder, Patience};
use heavenbase::{Error, Result};

/// What a test sets and reads.
#[derive(Debug, Default)]
pub struct Asked {
    calls: Mutex<Vec<Vec<String>>>,
    outcomes: Mutex<VecDeque<Option<Error>>>,
}

impl Asked {
    /// The calls since the last time this was called: their texts.
    pub fn taken(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The next call fails so; further ones follow in order.
    pub fn fail(&self, error: Error) {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).push_back(Some(error));
    }

    /// The next calls succeed; what is said after is of the calls behind them.
    pub fn pass(&self, calls: usize) {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).extend((0..calls).map(|_| None));
    }
}

/// How often `a`, `b`, … occur, and a one behind: no model, but deterministic, and never zero.
#[derive(Clone, Debug)]
pub struct Letters<const N: usize> {
    model: &'static str,
    max_texts: usize,
    /// How long a call takes.
    pub delay: Duration,
    /// What the calls are.
    pub asked: Arc<Asked>,
}

impl<const N: usize> Letters<N> {
    /// An embedder of this model, which takes so many texts at once.
    pub fn new(model: &'static str, max_texts: usize) -> Self {
        Letters { model, max_texts, delay: Duration::ZERO, asked: Arc::default() }
    }

    /// The vector of a text.
    pub fn vector(text: &str) -> [f32; N] {
        let mut numbers = [1.0; N];
        for (number, letter) in numbers.iter_mut().take(N.saturating_sub(1)).zip('a'..='z') {
            *number = text.matches(letter).count() as f32;
        }
        numbers
    }
}

impl<const N: usize> Embedder for Letters<N> {
    fn model(&self) -> &str {
        self.model
    }

    fn dimensions(&self) -> usize {
        N
    }

    fn max_texts(&self) -> usize {
        self.max_texts
    }

    fn patience(&self) -> Patience {
        Patience { attempts: 3, pause: Duration::from_millis(1), deadline: Duration::from_millis(500) }
    }

    async fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let vectors = texts.iter().map(|text| Self::vector(text).to_vec()).collect();
        self.asked.calls.lock().unwrap_or_else(PoisonError::into_inner).push(texts);
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        match self.asked.outcomes.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            Some(Some(error)) => Err(error),
            _ => Ok(vectors),
        }
    }
}
