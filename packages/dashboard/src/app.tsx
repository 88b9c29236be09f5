// The application: providers around the router, and the sign-in in front of it.
// Promises: no inline style sheet is ever made (the server's policy would refuse it): variables and
// classes of the component library come from its files, dialogs do not lock scrolling by script.
// Leaves to others: screens (`screens.tsx`), the frame around them (`shell/`).

import { createTheme, MantineProvider, Modal, Popover, Tooltip } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { isSignalboxError } from "@signalbox/sdk";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useMemo } from "react";
import { router } from "./router.ts";
import { useSession } from "./session.ts";
import { SignIn } from "./shell/sign-in.tsx";

const theme = createTheme({
  primaryColor: "blue",
  cursorType: "pointer",
  defaultRadius: "sm",
  components: {
    Modal: Modal.extend({
      defaultProps: {
        lockScroll: false,
        closeButtonProps: { "aria-label": "Close" },
        // The head of a dialog is no second head of the page.
        attributes: { header: { role: "presentation" } },
      },
    }),
    Popover: Popover.extend({ defaultProps: { withinPortal: true } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 300 } }),
  },
});

/** The SDK has tried often enough already when it throws; refusals do not get better. */
const queryClient = (): QueryClient =>
  new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        retry: (failures, error) =>
          failures < 2 && isSignalboxError(error) && (error.retryable || error.status === 0),
        refetchOnWindowFocus: true,
      },
    },
  });

export function App() {
  const session = useSession();
  const number = session?.number ?? 0;
  const queries = useMemo(queryClient, [number]);
  return (
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={queries}>
        <Notifications position="bottom-right" />
        {session === null ? <SignIn /> : <RouterProvider router={router} />}
      </QueryClientProvider>
    </MantineProvider>
  );
}
