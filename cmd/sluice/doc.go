// Command sluice is the operator and the command line of Sluice. It wires
// nothing itself: see operator/app.
package main
