//! How many connections each address has open: one address cannot take the places of all, and one
//! client in an office that takes all of its own cannot keep out the others behind the same address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::proxy::neighbourhood;

/// The open connections by address.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    open: Mutex<HashMap<String, Vec<Arc<Guest>>>>,
    turns: Arc<AtomicU64>,
}

/// What is known of an open connection.
#[derive(Debug)]
struct Guest {
    doing: Mutex<Doing>,
    leave: Notify,
    turns: Arc<AtomicU64>,
}

/// What a connection does. The lesser one makes room first: who sends no request before who has one
/// open, and of these who began earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    /// Sends a request, or rests.
    Asks(u64),
    /// Its request is being answered, or the rest of it is awaited.
    IsAnswered(u64),
}

/// One open connection; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    address: String,
    guest: Arc<Guest>,
}

/// Tells a [`Seat`] of its requests.
#[derive(Clone, Debug)]
pub(super) struct Waiter(Arc<Guest>);

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Course(Arc<Guest>);

fn next(turns: &AtomicU64) -> u64 {
    turns.fetch_add(1, Ordering::Relaxed)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crowd {
    /// Takes a seat for a connection. Where the address has `most` open already, the one that has
    /// done nothing for longest leaves.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, most: usize) -> Seat {
        let address = neighbourhood(address);
        let guest = Arc::new(Guest {
            doing: Mutex::new(Doing::Asks(next(&self.turns))),
            leave: Notify::new(),
            turns: Arc::clone(&self.turns),
        });
        let mut open = locked(&self.open);
        let guests = open.entry(address.clone()).or_default();
        if guests.len() >= most {
            let doing = guests.iter().map(|guest| *locked(&guest.doing));
            if let Some((first, _)) = doing.enumerate().min_by_key(|(_, doing)| *doing) {
                tracing::debug!(%address, "{address} has {most} connections open: one makes room");
                guests.swap_remove(first).leave.notify_one();
            }
        }
        guests.push(Arc::clone(&guest));
        Seat {
            crowd: Arc::clone(self),
            address,
            guest,
        }
    }
}

impl Seat {
    /// Resolves when the connection has to make room.
    pub(super) async fn must_leave(&self) {
        self.guest.leave.notified().await;
    }

    /// Who tells of its requests.
    pub(super) fn waiter(&self) -> Waiter {
        Waiter(Arc::clone(&self.guest))
    }
}

impl Waiter {
    /// A request has begun, until what is returned is dropped.
    pub(super) fn begin(&self) -> Course {
        *locked(&self.0.doing) = Doing::IsAnswered(next(&self.0.turns));
        Course(Arc::clone(&self.0))
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        *locked(&self.0.doing) = Doing::Asks(next(&self.0.turns));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = locked(&self.crowd.open);
        if let Some(guests) = open.get_mut(&self.address) {
            guests.retain(|guest| !Arc::ptr_eq(guest, &self.guest));
            if guests.is_empty() {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn leaves(seat: &Seat) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        pin!(seat.must_leave()).poll(&mut cx).is_ready()
    }

    #[test]
    fn an_address_has_so_many_seats_and_the_longest_idle_makes_room() {
        let crowd = Arc::new(Crowd::default());
        let admit = |address: &str| crowd.admit(address.parse().unwrap(), 2);
        let (first, second) = (admit("2001:db8::1"), admit("2001:db8::2"));
        let others = [
            admit("2001:db8:0:1::1"),
            admit("10.0.0.1"),
            admit("::ffff:10.0.0.1"),
        ];
        assert!(!others.iter().chain([&first, &second]).any(leaves));
        // The same /64; the first is being answered, the second is not.
        let course = first.waiter().begin();
        let third = admit("2001:db8::ffff");
        assert!(leaves(&second) && !leaves(&first) && !leaves(&third));
        drop(course);
        let fourth = admit("2001:db8::3");
        assert!(leaves(&third), "it asks for longer than the first");
        drop((second, third));
        let _fifth = admit("2001:db8::4");
        assert!(leaves(&first) && !leaves(&fourth));
        // IPv4 inside IPv6 is the same address.
        let _sixth = admit("10.0.0.1");
        assert!(leaves(&others[1]) && !leaves(&others[2]));
        drop((first, fourth, others));
        assert_eq!(locked(&crowd.open).len(), 2, "nothing is kept of who left");
    }
}
