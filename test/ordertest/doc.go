// Package ordertest draws random units and requests, on which a proxy's look-up is
// held to the slow evaluation of package ir/order that explain shows.
//
// It knows no proxy: how requests are sent, and what is made of the answers, is for
// those who draw.
package ordertest
