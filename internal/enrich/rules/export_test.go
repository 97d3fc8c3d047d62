package rules

// LoadWithin is Load with bounds that a test reaches in little time.
var LoadWithin = load
