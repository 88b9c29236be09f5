// The keys of the inbox, for the list of keys and for the hints beside the buttons.
// Promises: each opens a dialog or moves; no single key decides anything.
// Leaves to others: acting on them (`inbox.tsx`).

export const approvalKeys = [
  ["j, k", "Next, previous question"],
  ["a", "Approve … (Enter does it)"],
  ["r", "Reject … (Enter does it)"],
  ["e", "Edit arguments and approve … (Ctrl Enter does it)"],
  ["Enter", "Open the question"],
  ["Esc", "Back, and out of a dialog"],
] as const;
