//! `discover`: endpoints from a file that changes while the policy does not. The file is a JSON list of URLs, by the rules of
//! `endpoints`; whoever reads it hands its bytes in here.

use crate::base::ProviderId;
use crate::policy::model::{Endpoint, Policy};

impl Policy {
    /// Lets the endpoints in `json`, a file's contents, take the place of those that a provider had from its file before.
    /// The endpoints of the policy itself stay, and bounds that count for each endpoint follow. Nothing is changed on
    /// an error.
    ///
    /// # Errors
    /// The provider discovers nothing, or the contents are no list of usable addresses: which is wrong, and why.
    pub fn discovered(&mut self, id: ProviderId, json: &[u8]) -> Result<(), String> {
        let provider = self.providers.get_mut(id.index());
        let Some((provider, discover)) = provider.and_then(|it| {
            let discover = it.discover.clone()?;
            Some((it, discover))
        }) else {
            return Err("its provider has no `discover`".to_owned());
        };
        let urls: Vec<String> = serde_json::from_slice(json)
            .map_err(|error| format!("is not a JSON list of URLs: {error}"))?;
        let mut endpoints: Vec<Endpoint> = provider.endpoints.clone();
        endpoints.truncate(discover.written);
        for (place, url) in (1..).zip(&urls) {
            let endpoint = discover
                .endpoint(url)
                .map_err(|why| format!("entry {place} {why}"))?;
            if !endpoints.contains(&endpoint) {
                endpoints.push(endpoint);
            }
        }
        if endpoints.is_empty() {
            return Err("has no address, and the policy has none either".to_owned());
        }
        if endpoints.len() > ENDPOINTS_MAX {
            let count = endpoints.len();
            return Err(format!(
                "has {count} addresses; {ENDPOINTS_MAX} are possible"
            ));
        }
        let count = u32::try_from(endpoints.len()).unwrap_or(u32::MAX);
        let queue = provider.queue.map(|each| each.times(count));
        let max_inflight = provider.max_inflight.map(|each| each.times(count));
        provider.endpoints = endpoints;
        for target in self
            .targets
            .iter_mut()
            .filter(|target| target.provider == id)
        {
            target.max_inflight = max_inflight;
            target.queue = queue;
        }
        Ok(())
    }
}

/// Endpoints of one provider, discovered ones included: as many as health checks tell apart.
const ENDPOINTS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use crate::base::ProviderId;
    use crate::policy::model::MaxInflight;
    use crate::policy::{Policy, load};

    fn policy(provider: &str) -> Policy {
        let text = format!(
            "policy 1\nprovider gpus {{\n  kind = openai_compatible, auth = none\n  {provider}\n  \
             discover = file(\"gpus.json\")\n  capacity {{ max_inflight = 4 }}\n  model m = \"m\"\n}}\n\
             route default {{\n  tier 1 {{ gpus.m }}\n  fallback {{ on any -> next, else -> reject(503) }}\n}}\n"
        );
        let sources = [("a.policy", &*text)];
        let loaded = load(&sources, "a.policy", &[]);
        loaded
            .unwrap_or_else(|found| panic!("{}", found.render(false)))
            .0
    }

    fn hosts(policy: &Policy) -> Vec<String> {
        let endpoints = policy.providers[0].endpoints.iter();
        endpoints
            .map(|it| format!("{}:{}{}", it.host, it.port, it.base_path))
            .collect()
    }

    #[test]
    fn a_file_adds_to_what_the_policy_has() {
        let mut policy = policy("endpoints = [\"http://10.0.0.1:8000/v1\"], tls = off");
        let id = ProviderId(0);
        assert_eq!(policy.targets[0].max_inflight, Some(MaxInflight::Fixed(4)));
        let json =
            br#"["http://10.0.0.2:8000/v1", "http://10.0.0.1:8000/v1", "https://gpu.example"]"#;
        policy.discovered(id, json).unwrap();
        assert_eq!(
            hosts(&policy),
            ["10.0.0.1:8000/v1", "10.0.0.2:8000/v1", "gpu.example:443/v1"]
        );
        assert_eq!(policy.targets[0].max_inflight, Some(MaxInflight::Fixed(12)));
        policy.discovered(id, b"[]").unwrap();
        assert_eq!(hosts(&policy), ["10.0.0.1:8000/v1"]);
        assert_eq!(policy.targets[0].max_inflight, Some(MaxInflight::Fixed(4)));
        assert!(policy.discovered(ProviderId(7), b"[]").is_err());
    }

    #[test]
    fn what_is_no_list_of_addresses_changes_nothing() {
        let mut policy = policy("");
        let good = br#"["https://one.example/v1"]"#;
        policy.discovered(ProviderId(0), good).unwrap();
        let many = format!(
            "[{}]",
            (0..65)
                .map(|n| format!("\"https://a{n}\""))
                .collect::<Vec<_>>()
                .join(",")
        );
        let cases = [
            ("", "is not a JSON list"),
            ("{}", "is not a JSON list"),
            ("[\"https://one.example\", 7]", "is not a JSON list"),
            ("[\"https://one.example\"", "is not a JSON list"),
            ("[]", "has no address"),
            ("[\"https://a\", \"ftp://b\"]", "entry 2 is no `http://`"),
            ("[\"https://sk-key@b\"]", "entry 1 has a credential"),
            ("[\"http://8.8.8.8\"]", "plain http to the public address"),
            ("[\"http://10.0.0.1\"]", "`tls = off`"),
            (&many, "has 65 addresses; 64 are possible"),
        ];
        for (json, why) in cases {
            let error = policy
                .discovered(ProviderId(0), json.as_bytes())
                .unwrap_err();
            assert!(error.contains(why), "{json}: {error}");
            assert!(!error.contains("sk-key"));
            assert_eq!(hosts(&policy), ["one.example:443/v1"], "{json}");
        }
    }
}
