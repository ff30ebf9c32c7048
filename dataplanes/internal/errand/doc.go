// Package errand sends what a proxy has to send beside a request itself: questions
// to external authorization servers, and copies for mirrors. Both go to endpoints of
// the unit's own pools.
//
// It must not choose what is asked or copied, nor read what is answered.
package errand
