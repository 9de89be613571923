// What the page sets before the application starts; in a file of its own because no inline script
// is allowed. Colours are HSL, as the component library wants them.
'use strict';
globalThis.global = globalThis;
window.transports = ['websocket'];

const THEME = 'vite-ui-theme';
if (!localStorage.getItem(THEME)) localStorage.setItem(THEME, 'system');

window.theme = {
  light: {
    '--font-sans': "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
    '--font-mono': "ui-monospace, 'SF Mono', Consolas, 'Liberation Mono', monospace",
    '--background': '210 33% 99%',
    '--foreground': '222 40% 14%',
    '--card': '214 32% 96%',
    '--card-foreground': '222 40% 14%',
    '--popover': '0 0% 100%',
    '--popover-foreground': '222 40% 14%',
    '--primary': '221 83% 45%',
    '--primary-foreground': '0 0% 100%',
    '--secondary': '214 32% 93%',
    '--secondary-foreground': '222 40% 14%',
    '--muted': '214 28% 92%',
    '--muted-foreground': '218 18% 36%',
    '--accent': '214 32% 94%',
    '--accent-foreground': '222 40% 14%',
    '--destructive': '0 72% 40%',
    '--destructive-foreground': '0 0% 100%',
    '--border': '214 24% 86%',
    '--input': '214 24% 86%',
    '--ring': '221 83% 45%',
    '--radius': '0.75rem',
    '--sidebar-background': '214 32% 96%',
    '--sidebar-foreground': '222 30% 22%',
    '--sidebar-primary': '221 83% 45%',
    '--sidebar-primary-foreground': '0 0% 100%',
    '--sidebar-accent': '214 30% 90%',
    '--sidebar-accent-foreground': '222 40% 14%',
    '--sidebar-border': '214 24% 88%',
    '--sidebar-ring': '221 83% 45%'
  },
  dark: {
    '--font-sans': "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
    '--font-mono': "ui-monospace, 'SF Mono', Consolas, 'Liberation Mono', monospace",
    '--background': '222 30% 9%',
    '--foreground': '213 27% 90%',
    '--card': '222 25% 14%',
    '--card-foreground': '213 27% 90%',
    '--popover': '222 25% 14%',
    '--popover-foreground': '213 27% 90%',
    '--primary': '213 94% 68%',
    '--primary-foreground': '222 45% 9%',
    '--secondary': '222 20% 19%',
    '--secondary-foreground': '213 27% 90%',
    '--muted': '222 18% 20%',
    '--muted-foreground': '215 18% 70%',
    '--accent': '222 20% 20%',
    '--accent-foreground': '213 27% 90%',
    '--destructive': '0 72% 67%',
    '--destructive-foreground': '222 45% 9%',
    '--border': '222 18% 24%',
    '--input': '222 18% 24%',
    '--ring': '213 94% 68%',
    '--radius': '0.75rem',
    '--sidebar-background': '222 34% 7%',
    '--sidebar-foreground': '213 27% 86%',
    '--sidebar-primary': '213 94% 68%',
    '--sidebar-primary-foreground': '222 45% 9%',
    '--sidebar-accent': '222 22% 15%',
    '--sidebar-accent-foreground': '213 27% 90%',
    '--sidebar-border': '222 18% 18%',
    '--sidebar-ring': '213 94% 68%'
  }
};
