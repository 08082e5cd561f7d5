//! Health checks of a rehearsal: one for each endpoint whose policy asks for it, as the control thread makes them; and what
//! they find where something is injected. Nothing is sent.

use crate::base::{ProviderId, Span, TargetId, hash};
use crate::dialect::format::Format;
use crate::dialect::health::{Finding, health_finding};
use crate::engine::Checkup;
use crate::policy::Policy;
use crate::policy::drill::Fault;
use crate::policy::model::{HealthCheck, ModelName, Question, Target};
use crate::sim::provider::scripted;

/// One endpoint that is checked.
#[derive(Debug)]
pub struct Check {
    /// Whose.
    pub provider: ProviderId,
    /// Which of its endpoints.
    pub endpoint: u16,
    endpoints: usize,
    keys: u64,
    rules: HealthCheck,
    checkup: Checkup,
    count: u64,
    seed: u64,
}

/// An attempt as a check makes it.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// Whom it would ask.
    pub target: TargetId,
    /// At which of its provider's endpoints.
    pub endpoint: u16,
    /// With which key.
    pub key: u8,
    /// Its chance.
    pub chance: u64,
}

impl Check {
    /// All that the policy asks for.
    pub fn all(policy: &Policy, seed: u64) -> Vec<Self> {
        let mut all = Vec::new();
        for (id, provider) in (0_u16..).zip(&policy.providers) {
            let Some(rules) = &provider.health else {
                continue;
            };
            for endpoint in (0_u16..).take(provider.endpoints.len()) {
                all.push(Self {
                    provider: ProviderId(id),
                    endpoint,
                    endpoints: provider.endpoints.len(),
                    keys: provider.auth.secrets().len().max(1) as u64,
                    rules: rules.clone(),
                    checkup: Checkup::new(rules.fall, rules.rise, true),
                    count: 0,
                    seed: hash::mix(seed, u64::from(id) << 16 | u64::from(endpoint)),
                });
            }
        }
        all
    }

    /// Whether the endpoint is up, as far as this check knows.
    pub const fn is_up(&self) -> bool {
        self.checkup.is_up()
    }

    /// Until the next one: what the policy says, give or take a tenth.
    pub fn wait(&self) -> Span {
        let every = match self.rules.question {
            Question::Path { .. } => self.rules.every,
            Question::Token { count, per, .. } => {
                let share = per.as_nanos().saturating_mul(self.endpoints as u64);
                let share = share / u64::from(count.max(1));
                self.rules.every.max(Span::from_nanos(share))
            }
        };
        let tenth = every.as_nanos() / 10;
        let drawn = hash::scale(hash::mix(self.seed, self.count), tenth.saturating_mul(2));
        Span::from_nanos(
            every
                .as_nanos()
                .saturating_sub(tenth)
                .saturating_add(drawn)
                .max(1),
        )
    }

    /// Asks; tells whether the endpoint is up where that has changed. `fault` says what an attempt would meet, `served` how
    /// many requests the provider has answered.
    pub fn ask(
        &mut self,
        policy: &Policy,
        served: u64,
        fault: impl Fn(Probe) -> Option<Fault>,
    ) -> Option<bool> {
        self.count += 1;
        let good = match self.finding(policy, fault) {
            Finding::Silent => return None,
            Finding::Good => true,
            Finding::Bad => false,
        };
        // Requests tell about an endpoint only where there is no other one that they could have gone to.
        let served = if self.endpoints == 1 { served } else { 0 };
        self.checkup.saw(good, served)
    }

    /// What is found. Lists of models are served by providers whose models fail: what is injected there shows only where it
    /// takes the whole endpoint away, or where the check asks a model.
    fn finding(&self, policy: &Policy, fault: impl Fn(Probe) -> Option<Fault>) -> Finding {
        let Some(provider) = policy.providers.get(self.provider.index()) else {
            return Finding::Good;
        };
        let model = match &self.rules.question {
            Question::Path { .. } => None,
            Question::Token { model, .. } => Some(&**model),
        };
        let own = (0_u16..).zip(&policy.targets);
        let own = own.filter(|(_, target)| target.provider == self.provider);
        let is_asked = |target: &Target| match (&target.model, model) {
            (ModelName::Fixed(name), Some(model)) => **name == *model,
            _ => false,
        };
        // A model that no target has is asked at the provider all the same.
        let named = own.clone().any(|(_, target)| is_asked(target));
        let mut asked = own.filter(|(_, target)| !named || is_asked(target));
        let fault = asked.find_map(|(id, _)| {
            fault(Probe {
                target: TargetId(id),
                endpoint: self.endpoint,
                key: u8::try_from(self.count % self.keys).unwrap_or(0),
                chance: hash::mix(self.seed, self.count ^ CHANCE_SALT),
            })
        });
        let late = |more| {
            if more < self.rules.timeout {
                Finding::Good
            } else {
                Finding::Bad
            }
        };
        match (fault, model) {
            (Some(Fault::Connect(_)), _) | (Some(Fault::Stream(_)), Some(_)) => Finding::Bad,
            (Some(Fault::Latency(more)), _) | (Some(Fault::Ttft(more)), Some(_)) => late(more),
            (Some(fault), Some(_)) => {
                let answer = scripted(Format::own_of(provider.kind), fault);
                answer.map_or(Finding::Good, |it| {
                    health_finding(provider.kind, &self.rules.question, it.status, &it.body)
                })
            }
            _ => Finding::Good,
        }
    }
}

const CHANCE_SALT: u64 = 0x6865_616c_0000_0000;

#[cfg(test)]
mod tests {
    use super::{Check, Finding};
    use crate::base::{Span, TargetId};
    use crate::policy::drill::{BadKey, Break, Fault, NoConnection};
    use crate::policy::load;

    fn found(health: &str, at: u16, fault: Fault) -> Finding {
        let text = format!(
            "policy 1\nprovider openai {{\n  model a = \"a\"\n  model b = \"b\"\n  health {{ {health}, timeout = 2s }}\n}}\n\
             route default {{ tier 1 {{ openai.a }}, tier 2 {{ openai.b }} }}\n"
        );
        let (policy, _) = load(&[("p.policy", &*text)], "p.policy", &[]).unwrap();
        let check = &Check::all(&policy, 1)[0];
        check.finding(&policy, |it| (it.target == TargetId(at)).then_some(fault))
    }

    #[test]
    fn a_fault_shows_where_the_check_would_meet_it() {
        const PATH: &str = "path = \"/v1/models\"";
        const ASK: &str = "ask = \"a\", at_most = 12/h";
        let status = |status| Fault::Status {
            status,
            retry_after: None,
        };
        let (refused, key) = (
            Fault::Connect(NoConnection::Refuse),
            Fault::Key(BadKey::Revoked),
        );
        for (health, fault, wanted) in [
            (PATH, refused, Finding::Bad),
            (PATH, Fault::Latency(Span::from_secs(3)), Finding::Bad),
            (PATH, Fault::Latency(Span::from_secs(1)), Finding::Good),
            (PATH, status(503), Finding::Good),
            (PATH, Fault::Stream(Break::Cut), Finding::Good),
            (ASK, refused, Finding::Bad),
            (ASK, status(503), Finding::Bad),
            (ASK, Fault::ModelGone, Finding::Bad),
            (ASK, Fault::Stream(Break::Cut), Finding::Bad),
            (ASK, Fault::Ttft(Span::from_secs(3)), Finding::Bad),
            (ASK, Fault::Gap(Span::from_secs(9)), Finding::Good),
            // Keys and limits have switches of their own.
            (ASK, status(429), Finding::Silent),
            (ASK, key, Finding::Silent),
        ] {
            assert_eq!(found(health, 0, fault), wanted, "{health}: {fault}");
        }
        // Of two models one is asked.
        assert_eq!(found(ASK, 1, status(503)), Finding::Good);
        assert_eq!(found(PATH, 1, refused), Finding::Bad);
    }
}
