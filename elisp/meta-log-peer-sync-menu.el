;;; meta-log-peer-sync-menu.el --- Every command in one menu  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, convenience

;;; Commentary:

;; M-x meta-log-peer-sync-menu shows the commands of the package, each with
;; one key.  What cannot be done now is greyed out and says why.  The menus
;; of spaces, the git mirror, the blackboard, the first steps and the sidecar
;; are one key away.
;;
;; This file is loaded when the menu is asked for, and not before.

;;; Code:

(require 'transient)
(require 'meta-log-peer-sync)

;;;; Why something cannot be done now

(defun meta-log-peer-sync-menu--running ()
  "Return why the peer cannot be started, or nil."
  (and (meta-log-peer-sync-rpc-running-p) "running"))

(defun meta-log-peer-sync-menu--idle ()
  "Return why a running peer cannot be asked, or nil."
  (unless (meta-log-peer-sync-rpc-running-p) "not running"))

(defun meta-log-peer-sync-menu--no-file ()
  "Return why the visited file cannot be shared, or nil."
  (unless buffer-file-name "no file here"))

(defun meta-log-peer-sync-menu--nobody ()
  "Return why no peer can be chosen, or nil."
  (when (= 0 (hash-table-count meta-log-peer-sync-core-peers)) "nobody known"))

(defun meta-log-peer-sync-menu--no-mirror ()
  "Return why no git mirror can be asked, or nil when there may be one."
  (and (eq (meta-log-peer-sync-rpc-state) 'ready)
       (not (plist-get (meta-log-peer-sync-rpc-status) :mirror))
       "no mirror"))

(defun meta-log-peer-sync-menu--nothing-held ()
  "Return why there is nothing to decide about, or nil when there may be."
  (and (eq (meta-log-peer-sync-rpc-state) 'ready)
       (eql 0 (plist-get (meta-log-peer-sync-rpc-status) :held_deletions))
       "none held"))

;;;; Entries

(defclass meta-log-peer-sync-menu--entry (transient-suffix) ()
  "A command in the menu, which says why it cannot be called now.")

(cl-defmethod transient-format-description ((entry meta-log-peer-sync-menu--entry))
  "Return the text of ENTRY, and in parentheses why it is not available."
  (let ((why (and (oref entry inapt) (oref entry inapt-if) (funcall (oref entry inapt-if))))
        (text (cl-call-next-method)))
    (if why (format "%s (%s)" text why) text)))

(defmacro meta-log-peer-sync-menu--define (name doc &rest groups)
  "Define the menu NAME, described by DOC, of GROUPS.
They are vectors as for `transient-define-prefix'.  An entry is a list
of KEY, TEXT, COMMAND and maybe WHY-NOT, a function that returns nil or why
the command cannot be called now.  A command that is not there is left
out."
  (declare (indent 1) (doc-string 2))
  (cl-labels ((entry (form)
                (pcase-let ((`(,key ,text ,command . ,why) form))
                  `(,key ,text ,command :class meta-log-peer-sync-menu--entry
                         :if (lambda () (fboundp ',command))
                         ,@(and why (list :inapt-if (car why))))))
              (walk (group)
                (vconcat (mapcar (lambda (element)
                                   (cond ((vectorp element) (walk element))
                                         ((consp element) (entry element))
                                         (t element)))
                                 group))))
    `(transient-define-prefix ,name () ,doc ,@(mapcar #'walk groups))))

;;;; The menus

;;;###autoload (autoload 'meta-log-peer-sync-menu "meta-log-peer-sync-menu" nil t)
(meta-log-peer-sync-menu--define meta-log-peer-sync-menu
  "Show the commands of this package, each with one key.
What cannot be done now is grey, and says why."
  [["Peer"
    ("s" "Start" meta-log-peer-sync-start meta-log-peer-sync-menu--running)
    ("k" "Stop" meta-log-peer-sync-stop meta-log-peer-sync-menu--idle)
    ("r" "Restart" meta-log-peer-sync-restart meta-log-peer-sync-menu--idle)
    ("i" "Status" meta-log-peer-sync-status)
    ("h" "Health" meta-log-peer-sync-health meta-log-peer-sync-menu--idle)
    ("l" "Log" meta-log-peer-sync-rpc-show-log)
    ("t" "State in mode line" meta-log-peer-sync-modeline-mode)]
   ["Documents"
    ("d" "List" meta-log-peer-sync-documents)
    ("m" "Share this file" meta-log-peer-sync-mode meta-log-peer-sync-menu--no-file)
    ("f" "Sync a file once" meta-log-peer-sync-sync-file)
    ("A" "Sync everything now" meta-log-peer-sync-sync-all)
    ("H" "History" meta-log-peer-sync-history)
    ("R" "Restore a revision" meta-log-peer-sync-restore)
    ("v" "View a file inert" meta-log-peer-sync-view-file)
    ("g" "Guard synced files" meta-log-peer-sync-guard-mode)]
   ["Peers"
    ("p" "List" meta-log-peer-sync-peers)
    ("a" "Accept" meta-log-peer-sync-accept-peer meta-log-peer-sync-menu--nobody)
    ("b" "Block" meta-log-peer-sync-block-peer meta-log-peer-sync-menu--nobody)
    ("c" "Connect" meta-log-peer-sync-connect meta-log-peer-sync-menu--nobody)
    ("w" "Safety words" meta-log-peer-sync-safety-words meta-log-peer-sync-menu--nobody)
    ("I" "Own identity" meta-log-peer-sync-identity)]]
  [["Conflicts"
    ("x" "List" meta-log-peer-sync-conflicts)
    ("X" "Settle one" meta-log-peer-sync-resolve)]
   ["More menus"
    ("S" "Spaces and folders…" meta-log-peer-sync-menu-spaces)
    ("G" "Git mirror…" meta-log-peer-sync-menu-mirror)
    ("B" "Blackboard…" meta-log-peer-sync-menu-blackboard)
    ("E" "First steps…" meta-log-peer-sync-menu-first-steps)]
   ["Help"
    ("M" "Manual" meta-log-peer-sync-manual)
    ("D" "Doctor" meta-log-peer-sync-doctor)
    ("C" "Customize" meta-log-peer-sync-customize)
    ("U" "Sidecar…" meta-log-peer-sync-menu-sidecar)]])

;;;###autoload (autoload 'meta-log-peer-sync-menu-spaces "meta-log-peer-sync-menu" nil t)
(meta-log-peer-sync-menu--define meta-log-peer-sync-menu-spaces
  "Show the commands for spaces and shared folders."
  ["Spaces and folders"
   ("s" "List" meta-log-peer-sync-list-spaces)
   ("f" "Share a folder" meta-log-peer-sync-share-folder)
   ("c" "Make a local space" meta-log-peer-sync-create-space)
   ("l" "Leave a space" meta-log-peer-sync-leave-space)
   ("a" "Auto-sync on (C-u - off)" meta-log-peer-sync-auto-sync)
   ("d" "Decide about held deletions" meta-log-peer-sync-confirm-deletions
    meta-log-peer-sync-menu--nothing-held)])

;;;###autoload (autoload 'meta-log-peer-sync-menu-mirror "meta-log-peer-sync-menu" nil t)
(meta-log-peer-sync-menu--define meta-log-peer-sync-menu-mirror
  "Show the commands for the git repository that follows the documents."
  ["Git mirror"
   ("g" "Start" meta-log-peer-sync-mirror)
   ("i" "Status" meta-log-peer-sync-mirror-status)
   ("l" "Log of a document" meta-log-peer-sync-mirror-log meta-log-peer-sync-menu--no-mirror)
   ("k" "Stop" meta-log-peer-sync-mirror-off meta-log-peer-sync-menu--no-mirror)])

;;;###autoload (autoload 'meta-log-peer-sync-menu-blackboard "meta-log-peer-sync-menu" nil t)
(meta-log-peer-sync-menu--define meta-log-peer-sync-menu-blackboard
  "Show the commands for the blackboard, the Org file of the federation."
  ["Blackboard"
   ("i" "Start with the blackboard" meta-log-federation-init)
   ("y" "Sync it" meta-log-federation-sync-blackboard)
   ("a" "Announce this peer in it" meta-log-federation-announce-peer)
   ("p" "Who is there" meta-log-federation-discover-peers)
   ("c" "Connect to a peer" meta-log-federation-connect-to-peer
    meta-log-peer-sync-menu--nobody)])

;;;###autoload (autoload 'meta-log-peer-sync-menu-first-steps "meta-log-peer-sync-menu" nil t)
(meta-log-peer-sync-menu--define meta-log-peer-sync-menu-first-steps
  "Show the calls of the first steps, which take what announced peers sync."
  ["First steps"
   ("i" "Start, and take from everybody" meta-log-peer-sync-demo-init
    meta-log-peer-sync-menu--running)
   ("p" "Who is there" meta-log-peer-sync-demo-discover-peers)
   ("f" "Sync a canvas" meta-log-peer-sync-demo-sync-canvasl)
   ("c" "Connect to a peer" meta-log-peer-sync-demo-connect-peer
    meta-log-peer-sync-menu--nobody)
   ("w" "Open a direct channel" meta-log-webrtc-connect-peer
    meta-log-peer-sync-menu--nobody)])

;;;###autoload (autoload 'meta-log-peer-sync-menu-sidecar "meta-log-peer-sync-menu" nil t)
(meta-log-peer-sync-menu--define meta-log-peer-sync-menu-sidecar
  "Show the commands for the program that does the work, in Python."
  ["Sidecar"
   ("i" "Install" meta-log-peer-sync-install-sidecar)
   ("u" "Upgrade" meta-log-peer-sync-upgrade-sidecar)
   ("x" "Remove" meta-log-peer-sync-remove-sidecar)
   ("d" "Doctor" meta-log-peer-sync-doctor)
   ("l" "Log" meta-log-peer-sync-rpc-show-log)
   ("r" "Restart" meta-log-peer-sync-restart meta-log-peer-sync-menu--idle)])

(provide 'meta-log-peer-sync-menu)
;;; meta-log-peer-sync-menu.el ends here
