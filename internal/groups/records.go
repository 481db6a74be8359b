package groups

import (
	"math"
	"strings"
	"time"
)

// Limits of the records that a user has; from the REST reference's text for
// "Add a user to the target group".
const (
	// MaxLifetime is how long a record without a time to live is kept.
	MaxLifetime = 365 * 24 * time.Hour
	// MaxPermanent is how many records without a time to live a user can have;
	// the one that was renewed the longest ago makes room.
	MaxPermanent = 100
)

// Records remember which users are in which groups. A record outlives the
// user's connections: while it is alive, every new connection of the user
// joins the group. The zero value is ready to use.
type Records struct {
	users map[string]map[string]record
	count int
	sweep int // Puts until the expired records of all users are dropped
}

type record struct {
	expires   time.Time
	permanent bool // made without a time to live; expires is then MaxLifetime after the last Put
}

// Put makes or renews the record that user is in group. ttl is its life in
// seconds from now; nil is as long as it can be. A ttl of 0 or less leaves no
// record.
func (r *Records) Put(user, group string, ttl *int, now time.Time) {
	r.expireSometimes(now)
	r.Delete(user, group)
	rec := record{expires: now.Add(MaxLifetime), permanent: true}
	if ttl != nil {
		rec = record{expires: now.Add(seconds(*ttl))}
	}
	if !rec.expires.After(now) {
		return
	}
	if r.users == nil {
		r.users = map[string]map[string]record{}
	}
	of := r.users[user]
	if of == nil {
		of = map[string]record{}
		r.users[strings.Clone(user)] = of
	}
	of[strings.Clone(group)] = rec
	r.count++
	if rec.permanent {
		r.limitPermanent(user)
	}
}

// seconds does not overflow: no caller means more than an int32 holds.
func seconds(n int) time.Duration {
	return time.Duration(min(max(n, 0), math.MaxInt32)) * time.Second
}

// limitPermanent drops the permanent record that expires first if there are
// more than allowed: all live equally long, so it is the least recently renewed.
func (r *Records) limitPermanent(user string) {
	n, oldest := 0, ""
	of := r.users[user]
	for group, rec := range of {
		if !rec.permanent {
			continue
		}
		if n++; n == 1 || rec.expires.Before(of[oldest].expires) {
			oldest = group
		}
	}
	if n > MaxPermanent {
		r.Delete(user, oldest)
	}
}

// Delete forgets that user is in group.
func (r *Records) Delete(user, group string) {
	of := r.users[user]
	if _, ok := of[group]; !ok {
		return
	}
	r.count--
	if delete(of, group); len(of) == 0 {
		delete(r.users, user)
	}
}

// DeleteUser forgets all groups of user.
func (r *Records) DeleteUser(user string) {
	r.count -= len(r.users[user])
	delete(r.users, user)
}

// Has tells whether user is in group by a record that is alive.
func (r *Records) Has(user, group string, now time.Time) bool {
	return r.users[user][group].expires.After(now)
}

// Groups returns the groups that a new connection of user joins, in no order.
func (r *Records) Groups(user string, now time.Time) []string {
	var alive []string
	for group, rec := range r.users[user] {
		if rec.expires.After(now) {
			alive = append(alive, group)
		}
	}
	return alive
}

// Count returns the number of records, expired ones that were not dropped yet included.
func (r *Records) Count() int { return r.count }

// expireSometimes drops all expired records every so many Puts, so that their
// number stays within twice those alive at a cost that does not grow per Put.
func (r *Records) expireSometimes(now time.Time) {
	if r.sweep--; r.sweep > 0 {
		return
	}
	for user, of := range r.users {
		for group, rec := range of {
			if !rec.expires.After(now) {
				r.Delete(user, group)
			}
		}
	}
	r.sweep = max(r.count, 64)
}
