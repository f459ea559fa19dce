//! Endpoints that change hands.

use crate::directory::journal::Change;
use crate::directory::local::Local;
use crate::directory::{DirectoryError, Endpoint, Owner, Taken, Token};

impl Local {
    /// Lets whoever knows the token have the endpoint, or nobody any more.
    pub(super) fn offer(
        &mut self,
        endpoint: Endpoint,
        owner: Owner,
        generation: u32,
        token: Option<Token>,
    ) -> Result<u32, DirectoryError> {
        let bound = self.state.endpoints.get(&endpoint).filter(|binding| {
            binding.owner == owner && [0, binding.generation].contains(&generation)
        });
        let binding = bound.ok_or(DirectoryError::NotBound(endpoint))?;
        let generation = binding.generation;
        if binding.offer != token {
            let Endpoint { dcid, number } = endpoint;
            self.change(Change::Offer {
                dcid,
                number,
                token,
            })?;
        }
        Ok(generation)
    }

    /// Gives the endpoint to this life, if it is offered so.
    pub(super) fn adopt(
        &mut self,
        endpoint: Endpoint,
        owner: Owner,
        (generation, token): (u32, Token),
        nonce: u64,
    ) -> Result<Taken, DirectoryError> {
        self.state.lives(owner)?;
        let not_bound = DirectoryError::NotBound(endpoint);
        let bound = self.state.endpoints.get(&endpoint);
        let binding = *bound
            .filter(|binding| binding.generation == generation)
            .ok_or(not_bound.clone())?;
        let taken = Taken {
            generation,
            privileges: binding.privileges,
        };
        if binding.owner == owner && binding.nonce == nonce {
            return Ok(taken);
        }
        if binding.offer != Some(token) {
            return Err(not_bound);
        }
        let Endpoint { dcid, number } = endpoint;
        self.change(Change::Take {
            dcid,
            number,
            owner,
            nonce,
        })?;
        Ok(taken)
    }
}
