;;; meta-log-peer-sync-install.el --- Install, upgrade and remove the sidecar  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, tools

;;; Commentary:

;; M-x meta-log-peer-sync-install-sidecar installs the sidecar, in the version
;; of this package, into a folder of its own below the Emacs directory, with
;; uv, pipx, or Python's own venv and pip, whatever is there.  It is found
;; there without any setting.  M-x meta-log-peer-sync-upgrade-sidecar brings
;; the one that is used to this version, M-x meta-log-peer-sync-remove-sidecar
;; takes it away, and the identity and documents only when told to.

;;; Code:

(require 'cl-lib)
(require 'compile)
(require 'meta-log-peer-sync-core)

(defcustom meta-log-peer-sync-install-source nil
  "What to install as the sidecar: what uv or pip take, or nil.
That is a wheel, a folder with the source, or a requirement such as
\"meta-log-peer-sync[git]==0.1.0\".  When nil it is the wheel beside this
file, if there is one, else the folder of the source that this file is in.
Nothing is taken from a package index by its name alone: set the requirement
here when you know who publishes it there."
  :type '(choice (const :tag "What belongs to this package" nil) file directory string)
  :risky t
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-install-method nil
  "With what to install the sidecar.
Nil takes uv where it is found, else pipx, else Python's venv and pip."
  :type '(choice (const :tag "What is there" nil) (const uv) (const pipx) (const venv))
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defvar meta-log-peer-sync-install--buffer nil "Buffer of the newest installation, or nil.")

(defconst meta-log-peer-sync-install--name "*meta-log-peer-sync install*"
  "Name of the buffer that shows an installation.")

;;;; What to do

(defun meta-log-peer-sync-install-source ()
  "Return what is installed as the sidecar, a string."
  (let ((root (meta-log-peer-sync-rpc--package-root))
        (wheel (car (file-expand-wildcards
                     (expand-file-name "meta_log_peer_sync-*.whl"
                                       meta-log-peer-sync-rpc--directory)))))
    (cond (meta-log-peer-sync-install-source
           (if (file-exists-p (expand-file-name meta-log-peer-sync-install-source))
               (expand-file-name meta-log-peer-sync-install-source)
             meta-log-peer-sync-install-source))
          (wheel)
          ((and root (file-exists-p (expand-file-name "pyproject.toml" root)))
           (directory-file-name root))
          (t (user-error "There is no wheel beside %s and no source around it; set \
`meta-log-peer-sync-install-source' to a wheel, a folder, or a requirement"
                         (abbreviate-file-name meta-log-peer-sync-rpc--directory))))))

(defun meta-log-peer-sync-install-method ()
  "Return `uv', `pipx' or `venv': what the sidecar is installed with."
  (or meta-log-peer-sync-install-method
      (cond ((executable-find "uv") 'uv)
            ((executable-find "pipx") 'pipx)
            (t 'venv))))

(defconst meta-log-peer-sync-install--old-python
  "import sys; sys.exit(sys.version_info < (3, 11) and \
\"Python 3.11 or newer is needed; this is \" + sys.version)"
  "What Python says when it is too old.")

(defun meta-log-peer-sync-install--pip (python source again)
  "Return the commands that bring SOURCE into the environment of PYTHON.
AGAIN is non-nil when there may be another build of the same version."
  (let ((pip (list python "-I" "-m" "pip" "install" "--disable-pip-version-check")))
    (cons (append pip (list "--upgrade" source))
          (and again (list (append pip (list "--force-reinstall" "--no-deps" source)))))))

(defun meta-log-peer-sync-install--plan (method source directory)
  "Return (ENVIRONMENT . COMMANDS) that install SOURCE into DIRECTORY by METHOD.
All that METHOD keeps of it is in DIRECTORY."
  (let* ((in (lambda (name) (expand-file-name name directory)))
         ;; Or they say at length that nobody will find it there.
         (path (concat "PATH=" (funcall in "bin") path-separator (getenv "PATH"))))
    (pcase method
      ('uv
       (cons (list path
                   (concat "UV_TOOL_DIR=" (funcall in "tools"))
                   (concat "UV_TOOL_BIN_DIR=" (funcall in "bin")))
             (list (list "uv" "tool" "install" "--force" "--reinstall" source))))
      ('pipx
       (cons (list path
                   (concat "PIPX_HOME=" (funcall in "pipx"))
                   (concat "PIPX_BIN_DIR=" (funcall in "bin"))
                   (concat "PIPX_MAN_DIR=" (funcall in "man")))
             (list (list "pipx" "install" "--force" source))))
      (_
       (let ((python (or (executable-find "python3") (executable-find "python")
                         (user-error "There is no Python; install Python 3.11 or newer, \
with venv (Debian: python3-venv), or uv"))))
         (cons nil
               (append
                ;; -I: or Python takes modules from the current folder.
                (list (list python "-I" "-c" meta-log-peer-sync-install--old-python)
                      (list python "-I" "-m" "venv" (funcall in "venv")))
                (meta-log-peer-sync-install--pip (funcall in "venv/bin/python") source
                                                 (file-exists-p (funcall in "venv"))))))))))

(defun meta-log-peer-sync-install--plan-of (program source)
  "Return (ENVIRONMENT . COMMANDS) that bring PROGRAM to SOURCE.
Others than this Emacs have installed PROGRAM."
  (let* ((true (file-truename program))
         (python (expand-file-name "python3" (file-name-directory true))))
    (cond ((string-match-p "/uv/tools/" true)
           (list nil (list "uv" "tool" "install" "--force" "--reinstall" source)))
          ((string-match-p "/pipx/venvs/" true)
           (list nil (list "pipx" "install" "--force" source)))
          ((file-executable-p python)
           (cons nil (meta-log-peer-sync-install--pip python source t)))
          (t (user-error "How %s was installed is not known; upgrade it there, or take it \
from `exec-path' and M-x meta-log-peer-sync-install-sidecar" program)))))

;;;; Doing it

(defun meta-log-peer-sync-install--busy-p ()
  "Return non-nil while an installation is running."
  (and (buffer-live-p meta-log-peer-sync-install--buffer)
       (process-live-p (get-buffer-process meta-log-peer-sync-install--buffer))))

(defun meta-log-peer-sync-install--run (plan function)
  "Carry PLAN out in a compilation buffer; then call FUNCTION with success or nil.
PLAN is (ENVIRONMENT . COMMANDS)."
  (when (meta-log-peer-sync-install--busy-p)
    (user-error "An installation is running already; see %s"
                meta-log-peer-sync-install--name))
  (let* ((default-directory "/")        ; where nobody else puts a module or a configuration
         (compilation-environment
          (append (car plan) '("NO_COLOR=1" "USE_EMOJI=0") compilation-environment))
         (command (mapconcat (lambda (words) (mapconcat #'shell-quote-argument words " "))
                             (cdr plan) " && "))
         (buffer (save-window-excursion
                   (compilation-start command nil
                                      (lambda (_mode) meta-log-peer-sync-install--name)))))
    (setq meta-log-peer-sync-install--buffer buffer)
    (with-current-buffer buffer
      (add-hook 'compilation-finish-functions
                (lambda (_buffer change)
                  (funcall function (string-prefix-p "finished" change)))
                nil t))
    (unless noninteractive (display-buffer buffer))
    t))

(defun meta-log-peer-sync-install--begin (source directory)
  "Install SOURCE into DIRECTORY, which is left as it was when that fails."
  (let ((new (not (file-directory-p directory)))
        (plan (meta-log-peer-sync-install--plan
               (meta-log-peer-sync-install-method) source directory)))
    (with-file-modes #o700 (make-directory directory t))
    (meta-log-peer-sync-install--run
     plan
     (lambda (success)
       (when (and new (not success))
         (delete-directory directory t))
       (meta-log-peer-sync-install--finished
        (and success (meta-log-peer-sync-rpc-own-program)) source)))))

(defun meta-log-peer-sync-install--finished (program source)
  "Say that PROGRAM was installed from SOURCE, or nothing; use it from now on."
  (if (not program)
      (message "meta-log-peer-sync: the sidecar was not installed; %s says why"
               meta-log-peer-sync-install--name)
    (let ((running (meta-log-peer-sync-rpc-running-p)))
      (when running (meta-log-peer-sync-rpc-restart))
      (message "meta-log-peer-sync: %s was installed from %s; %s" program source
               (if running "the peer is started again with it"
                 "M-x meta-log-peer-sync-start starts the peer")))))

;;;###autoload
(defun meta-log-peer-sync-install-sidecar ()
  "Install the sidecar for this Emacs; return t at once.
It goes into `meta-log-sidecar/' below the Emacs directory, by uv, pipx or
Python's venv, and is found there from then on.  A buffer shows what is
done.  `meta-log-peer-sync-install-source' says what is installed."
  (interactive)
  (let ((other (and (not meta-log-peer-sync-rpc-program)
                    (executable-find "meta-log-peer-sync"))))
    (when meta-log-peer-sync-rpc-program
      (user-error "`meta-log-peer-sync-rpc-program' names another one; reset it first"))
    (when other
      (user-error "%s is there already; M-x meta-log-peer-sync-upgrade-sidecar brings it to \
version %s" other meta-log-peer-sync-rpc-version)))
  (meta-log-peer-sync-install--begin (meta-log-peer-sync-install-source)
                                     (meta-log-peer-sync-rpc-own-directory)))

;;;###autoload
(defun meta-log-peer-sync-upgrade-sidecar ()
  "Bring the sidecar to the version of this package; return t at once.
That is the one that is used: one that Emacs has installed, or one that
uv, pipx or pip has; then with the same tool.  A running peer is started
again with it."
  (interactive)
  (let ((source (meta-log-peer-sync-install-source))
        (program (or (and (stringp meta-log-peer-sync-rpc-program)
                          (executable-find meta-log-peer-sync-rpc-program))
                     (executable-find "meta-log-peer-sync"))))
    (cond ((consp meta-log-peer-sync-rpc-program)
           (user-error "`meta-log-peer-sync-rpc-program' is a command of yours; upgrade what \
it starts"))
          (program
           (meta-log-peer-sync-install--run
            (meta-log-peer-sync-install--plan-of program source)
            (lambda (success)
              (meta-log-peer-sync-install--finished (and success program) source))))
          (t (meta-log-peer-sync-install--begin
              source (meta-log-peer-sync-rpc-own-directory))))))

;;;; Removing it

(defun meta-log-peer-sync-install--when-ended (process function)
  "Call FUNCTION once PROCESS has ended, which was told to."
  (if (process-live-p process)
      (run-at-time 0.1 nil #'meta-log-peer-sync-install--when-ended process function)
    (funcall function)))

(defun meta-log-peer-sync-install--state-p (folder)
  "Return non-nil when FOLDER is a peer's own and may be deleted with all it has.
A setting may name any folder: one without an identity, or with the home or
the Emacs directory in it, is not."
  (and (not (file-remote-p folder))
       (file-exists-p (expand-file-name "identity.json" folder))
       (not (file-symlink-p (directory-file-name folder)))
       (cl-notany (lambda (other) (file-in-directory-p other folder))
                  (list "~/" user-emacs-directory))))

;;;###autoload
(defun meta-log-peer-sync-remove-sidecar (&optional state)
  "Remove the sidecar that Emacs has installed; return t at once.
The peer is stopped.  Its identity, documents and history stay, unless
STATE is non-nil: interactively you are asked, and have to type yes.
A state directory that is not the peer's alone is never deleted."
  (interactive
   (list (and (meta-log-peer-sync-install--state-p (meta-log-peer-sync-core-state-directory))
              (yes-or-no-p
               (format "Delete the identity, documents and history in %s as well, for good? "
                       (meta-log-peer-sync-core-state-directory))))))
  (when (meta-log-peer-sync-install--busy-p)
    (user-error "An installation is running; see %s" meta-log-peer-sync-install--name))
  (let ((directory (meta-log-peer-sync-rpc-own-directory))
        (folder (meta-log-peer-sync-core-state-directory))
        (process meta-log-peer-sync-rpc--process)
        (other (executable-find "meta-log-peer-sync")))
    (unless (or (file-directory-p directory) state)
      (user-error (if other
                      "%s was not installed from here; pip, pipx or uv, whatever did it, \
removes it"
                    "There is no sidecar that Emacs has installed")
                  other))
    (unless (or (not state) (meta-log-peer-sync-install--state-p folder))
      (user-error "%s is no folder of a peer alone; delete yourself what is in it" folder))
    (when (meta-log-peer-sync-rpc-running-p) (meta-log-peer-sync-core-stop))
    (meta-log-peer-sync-install--when-ended
     process
     (lambda ()
       (when (file-directory-p directory) (delete-directory directory t))
       (when (and state (file-directory-p folder)) (delete-directory folder t))
       (message "meta-log-peer-sync: the sidecar is removed; %s"
                (if state "its identity, documents and history, too"
                  (format "identity, documents and history stay in %s" folder)))))
    t))

(provide 'meta-log-peer-sync-install)
;;; meta-log-peer-sync-install.el ends here
