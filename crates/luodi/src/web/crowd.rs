//! How many connections each address has open: one address cannot take the places of all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::proxy::neighbourhood;

/// The open connections by address.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    open: Mutex<HashMap<String, usize>>,
}

/// One open connection; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    address: String,
}

impl Crowd {
    /// Takes a seat for a connection; none where the address has `most` open already.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Seat> {
        let address = neighbourhood(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat {
            crowd: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self
            .crowd
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_seats_and_gets_them_back() {
        let crowd = Arc::new(Crowd::default());
        let admit = |address: &str| crowd.admit(address.parse().unwrap(), 2);
        let (first, _second) = (admit("2001:db8::1").unwrap(), admit("2001:db8::2").unwrap());
        assert!(admit("2001:db8::ffff").is_none(), "the same /64");
        let others = [
            admit("2001:db8:0:1::1"),
            admit("10.0.0.1"),
            admit("::ffff:10.0.0.1"),
        ];
        assert!(others.iter().all(Option::is_some));
        assert!(
            admit("10.0.0.1").is_none(),
            "IPv4 inside IPv6 is the same address"
        );
        drop(first);
        assert!(admit("2001:db8::3").is_some());
        drop(others);
        assert_eq!(
            crowd.open.lock().unwrap().len(),
            1,
            "nothing is kept of who left"
        );
    }
}
