package alert

import "strings"

// Priority is Falco's priority of a rule. Lower is more severe, as in syslog. The zero value
// is PriorityUnknown.
type Priority uint8

// The priorities, in Falco's order.
const (
	PriorityUnknown Priority = iota
	PriorityEmergency
	PriorityAlert
	PriorityCritical
	PriorityError
	PriorityWarning
	PriorityNotice
	PriorityInformational
	PriorityDebug
)

// String is Falco's word for the priority, empty for PriorityUnknown.
func (p Priority) String() string {
	switch p {
	case PriorityEmergency:
		return "Emergency"
	case PriorityAlert:
		return "Alert"
	case PriorityCritical:
		return "Critical"
	case PriorityError:
		return "Error"
	case PriorityWarning:
		return "Warning"
	case PriorityNotice:
		return "Notice"
	case PriorityInformational:
		return "Informational"
	case PriorityDebug:
		return "Debug"
	case PriorityUnknown:
	}
	return ""
}

// ParsePriority reads a priority word in any case. Falco's rule files also write "INFO" for
// Informational.
func ParsePriority(s string) Priority {
	if strings.EqualFold(s, "info") {
		return PriorityInformational
	}
	for p := PriorityEmergency; p <= PriorityDebug; p++ {
		if strings.EqualFold(s, p.String()) {
			return p
		}
	}
	return PriorityUnknown
}

// priorityFromEnum reads the number of falco.schema.Priority, which counts from
// EMERGENCY = 0.
func priorityFromEnum(n uint64) Priority {
	if n > uint64(PriorityDebug-PriorityEmergency) {
		return PriorityUnknown
	}
	return PriorityEmergency + Priority(n)
}
