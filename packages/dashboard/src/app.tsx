// The application: providers around the router, and the sign-in in front of it.
// Promises: no inline style sheet is ever made (the server's policy would refuse it): variables and
// classes of the component library come from its files, dialogs do not lock scrolling by script.
// Leaves to others: screens (`screens.tsx`), the frame around them (`shell/`).

import { createTheme, MantineProvider, Modal, Notification, Popover, Tooltip } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { isSignalboxError } from "@signalbox/sdk";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { router } from "./router.ts";
import { expired, useSession } from "./session.ts";
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
    Notification: Notification.extend({
      defaultProps: { closeButtonProps: { "aria-label": "Close the note" } },
    }),
    Popover: Popover.extend({ defaultProps: { withinPortal: true } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 300 } }),
  },
});

/** An ended session leads to the sign-in, whatever was asked. */
const onError = (error: unknown): void => {
  if (isSignalboxError(error, "unauthorized")) expired();
};

/** The SDK has tried often enough already when it throws; refusals do not get better. */
const queryClient = (): QueryClient =>
  new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
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
  // One for all sessions, since a question on the screen stays with the client it began with; what
  // is remembered is named by the session and forgotten with it.
  const [queries] = useState(queryClient);
  useEffect(
    () => queries.removeQueries({ predicate: ({ queryKey: [of] }) => of !== number }),
    [queries, number],
  );
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
