// How long something old lives on beside what replaces it: the choices of every rotation.
// Promises: seconds as the server takes them, shortest first.
// Leaves to others: the most that each may have.

export const OVERLAP_DAY = "86400";

export const overlaps: readonly { readonly value: string; readonly label: string }[] = [
  { value: "0", label: "not at all: it ends at once" },
  { value: "3600", label: "an hour" },
  { value: OVERLAP_DAY, label: "a day" },
  { value: "604800", label: "7 days" },
  { value: "2592000", label: "30 days" },
];
