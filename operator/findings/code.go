package findings

// Code names a fact. The table says what it means for a condition.
type Code string
