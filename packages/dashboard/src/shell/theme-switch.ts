// Light or dark.
// Promises: the system's choice until the person makes one, which is kept in this browser.
// Leaves to others: the colours (`tokens.css`).

import { useComputedColorScheme, useMantineColorScheme } from "@mantine/core";

/** Switches between light and dark; the choice is kept in this browser. */
export function useThemeSwitch(): { next: "light" | "dark"; flip: () => void } {
  const { setColorScheme } = useMantineColorScheme();
  const now = useComputedColorScheme("light");
  const next = now === "dark" ? "light" : "dark";
  return { next, flip: () => setColorScheme(next) };
}
